#pragma once
// A bundle of a small network, with a root and a signing key of its own, every part of which a test can change before it is
// signed.

#include <fstream>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "tests/support/paths.h"
#include "tests/support/trained_model.h"
#include "tools/station/bundle/bundle.h"

namespace edgeprune::station {

struct SampleBundle {
  testing::TemporaryFolder folder;
  Key root = Key::generate(), signing = Key::generate();
  std::string weights, policy;
  std::vector<Image> golden;
  Manifest manifest;
  KeyCertificate certificate;
  std::string path = folder.file("sample.bundle"), root_key = folder.file("root.pub.pem");

  SampleBundle() {
    const auto model = testing::trained_model(0.25);
    ModelInfo info{.classes = placeholder_names(10)};
    const std::string file = folder.file("weights.safetensors");
    save_checkpoint(file, *model, info);
    const std::vector<char> bytes = read_file(file);
    weights.assign(bytes.begin(), bytes.end());
    Policy rules{.temperature = 1.5f, .classes = {}};
    for (const std::string& name : info.classes) {
      rules.classes.push_back(
          {.name = name, .good = rules.classes.empty(), .clear_below = 0.1f, .reject_from = 0.9f});
    }
    policy = policy_text(rules);
    for (int i = 0; i < 3; ++i) {
      golden.push_back(
          {32, 32, std::vector<uint8_t>(size_t{3} * 32 * 32, static_cast<uint8_t>(40 + 80 * i))});
    }
    manifest = {.product = "parts",
                .counter = 7,
                .created = "2026-12-01T00:00:00Z",
                .classes = info.classes,
                .input_size = 32,
                .resize = info.resize,
                .mean = info.mean,
                .std = info.std,
                .engine = inference::Engine::dense,
                .tolerance = 1e-3f,
                .golden = {},
                .gate_data = "held-out",
                .gate_images = 1000,
                .accuracy = {0.9, 0.95},
                .recalls = {{"class 1", 300, {0.99, 0.995}}},
                .files = {}};
    for (auto& logits : logits_of(load_weights(weights, file), golden, manifest.engine)) {
      manifest.golden.push_back({"", logits});
    }
    certificate = {.name = "line 1",
                   .public_key = signing.public_pem(),
                   .first_counter = 1,
                   .last_counter = 50};
    write_file_atomically(root_key, root.public_pem());
  }

  std::string sealed() const {
    const std::string text = certificate_text(certificate);
    // seal() takes the key itself, of which there is one.
    signing.write_private(folder.file("signing.pem"));
    const Signer signer{Key::read_private(folder.file("signing.pem")), text, root.sign(text)};
    std::filesystem::remove(folder.file("signing.pem"));
    return seal(manifest, weights, policy, golden, signer);
  }
  void write(const std::string& bytes) const {
    std::ofstream(path, std::ios::binary) << bytes;  // thousands of times: without a sync each
  }

  Acceptance acceptance() const {
    return {.root_key = root_key,
            .accepted_counter = 6,
            .product = "parts",
            .classes = placeholder_names(10)};
  }
  Bundle open() const { return open_bundle(path, acceptance()); }
};

}  // namespace edgeprune::station
