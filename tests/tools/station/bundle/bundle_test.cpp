#include "tools/station/bundle/bundle.h"

#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "tests/support/message_of.h"
#include "tests/tools/station/bundle/sample_bundle.h"
#include "tools/station/bundle/archive.h"

namespace edgeprune::station {
namespace {

using testing::message_of;

/// What opening says of a bundle; only its path is left out.
std::string refusal_of(const SampleBundle& sample, const Acceptance& acceptance) {
  const std::string message = message_of<FileError>([&] { open_bundle(sample.path, acceptance); });
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  const std::string prefix = sample.path + ": ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}
std::string refusal_of(const SampleBundle& sample) {
  return refusal_of(sample, sample.acceptance());
}

/// The archive with one file's bytes changed by `change`, headers made anew.
template <typename Change>
std::string repacked(const std::string& bundle, const std::string& name, const Change& change) {
  Files files;
  for (const auto& [file, bytes] : unpack(bundle, "bundle")) {
    std::string copy(bytes);
    if (file == name) change(copy);
    files.emplace_back(file, copy);
  }
  return pack(files);
}

TEST(Bundle, ComesBackWhole) {
  const SampleBundle sample;
  sample.write(sample.sealed());
  const Bundle bundle = sample.open();
  EXPECT_EQ(bundle.manifest.counter, 7);
  EXPECT_EQ(bundle.manifest.golden[1].logits, sample.manifest.golden[1].logits);
  EXPECT_EQ(bundle.key_name, "line 1");
  EXPECT_EQ(policy_text(bundle.policy), sample.policy);
  EXPECT_EQ(bundle.golden, sample.golden);
  EXPECT_EQ(bundle.checkpoint.sha256, bundle.manifest.files[1].sha256);
  EXPECT_NO_THROW(check_golden(bundle, inference::Engine::dense));
  EXPECT_NO_THROW(check_golden(bundle, inference::Engine::sparse));
}

TEST(Bundle, IsRefusedWithABitFlippedAnywhere) {
  const SampleBundle sample;
  const std::string whole = sample.sealed();
  // Every 17th byte of what stands before the weights and behind them, and some of theirs.
  const size_t begin = whole.find(kWeights, whole.find(sample.policy)) + 600,
               end = begin + sample.weights.size();
  int tried = 0;
  for (size_t at = 0; at<whole.size(); at += at> begin && at + 9973 < end ? 9973 : 17, ++tried) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << tried % 8));
    sample.write(flipped);
    ASSERT_NE(refusal_of(sample), testing::kNothingThrown) << "byte " << at;
  }
  EXPECT_GT(tried, 900);
}

TEST(Bundle, IsRefusedIfItIsCutOffOrLonger) {
  const SampleBundle sample;
  const std::string whole = sample.sealed();
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{511}, size_t{2000}, whole.size() / 2,
                             whole.size() - 1024, whole.size() - 1}) {
    sample.write(whole.substr(0, bytes));
    EXPECT_NE(refusal_of(sample), testing::kNothingThrown) << bytes;
  }
  sample.write(whole + std::string(512, '\0'));
  EXPECT_NE(refusal_of(sample), testing::kNothingThrown);
  sample.write(whole + whole);
  EXPECT_NE(refusal_of(sample), testing::kNothingThrown);
}

TEST(Bundle, IsRefusedUnderAnotherRootOrKey) {
  SampleBundle sample;
  const std::string whole = sample.sealed();
  sample.write(whole);
  const Key other_root = Key::generate(), other_signing = Key::generate();
  Acceptance acceptance = sample.acceptance();
  acceptance.root_key = sample.folder.file("other.pub.pem");
  write_file_atomically(acceptance.root_key, other_root.public_pem());
  EXPECT_EQ(refusal_of(sample, acceptance),
            "the key that signed it has no valid certificate of this root");
  // A certificate of the right root beside a manifest that another key signed; the root itself signs keys, not bundles.
  for (const Key* key : {&other_signing, static_cast<const Key*>(&sample.root)}) {
    const std::string manifest(unpack(whole, "bundle").front().second);
    sample.write(repacked(whole, kManifestSignature,
                          [&](std::string& signature) { signature = key->sign(manifest); }));
    EXPECT_EQ(refusal_of(sample), "the signature of manifest.json is wrong");
  }
}

TEST(Bundle, CountersOnlyRiseAndStayWithinTheKeys) {
  SampleBundle sample;
  sample.write(sample.sealed());
  Acceptance acceptance = sample.acceptance();
  for (const int64_t accepted : {7, 8}) {
    acceptance.accepted_counter = accepted;
    EXPECT_EQ(refusal_of(sample, acceptance),
              fmt::format("counter 7: expected one above {}, which was accepted before", accepted));
  }
  sample.manifest.counter = 51;
  EXPECT_EQ(message_of<std::invalid_argument>([&] { sample.sealed(); }),
            "[bundle] counter 51: the key 'line 1' may sign 1 to 50");
  sample.manifest.counter = 7;
  const std::string narrow = certificate_text({"line 1", sample.signing.public_pem(), 8, 50});
  const std::string wide = sample.sealed();
  const std::string changed =
      repacked(wide, kCertificate, [&](std::string& text) { text = narrow; });
  sample.write(repacked(changed, kCertificateSignature,
                        [&](std::string& signature) { signature = sample.root.sign(narrow); }));
  EXPECT_EQ(refusal_of(sample), "counter 7: its key 'line 1' may sign 8 to 50");
}

TEST(Bundle, IsRefusedForOtherProductsAndClasses) {
  const SampleBundle sample;
  sample.write(sample.sealed());
  Acceptance acceptance = sample.acceptance();
  acceptance.product = "bottles";
  EXPECT_EQ(refusal_of(sample, acceptance), "it is for parts, expected bottles");
  acceptance = sample.acceptance();
  std::swap(acceptance.classes[0], acceptance.classes[1]);
  EXPECT_NE(refusal_of(sample, acceptance).find("expected the classes class 1, class 0, class 2"),
            std::string::npos);
}

TEST(Bundle, IsRefusedIfAGateIsMissed) {
  SampleBundle sample;
  sample.manifest.accuracy = {.required = 0.9, .found = 0.899};
  sample.write(sample.sealed());
  EXPECT_EQ(refusal_of(sample),
            "its gate is missed: accuracy 89.9 % on held-out, expected 90 % at least");
  sample.manifest.accuracy = {.required = 0.9, .found = 0.9};
  sample.write(sample.sealed());
  EXPECT_EQ(refusal_of(sample), testing::kNothingThrown);
  sample.manifest.recalls[0].recall = {.required = 0.99, .found = 0.9899};
  sample.write(sample.sealed());
  EXPECT_EQ(
      refusal_of(sample),
      "its gate is missed: of class 1 on held-out 98.99 % do not pass, expected 99 % at least");
}

TEST(Bundle, IsRefusedWithMissingUnknownOrSwappedFiles) {
  const SampleBundle sample;
  const std::string whole = sample.sealed();
  const FileViews views = unpack(whole, "bundle");
  const auto written = [&](const std::function<void(Files&)>& change) {
    Files files;
    for (const auto& [name, bytes] : views) files.emplace_back(name, bytes);
    change(files);
    sample.write(pack(files));
    return refusal_of(sample);
  };
  EXPECT_EQ(written([](Files& files) { files.pop_back(); }),
            "expected golden-002.ppm, got nothing");
  EXPECT_EQ(written([](Files& files) { files.emplace_back("extra.txt", "x"); }),
            "expected nothing, got extra.txt");
  EXPECT_EQ(written([](Files& files) { std::swap(files[4], files[5]); }),
            "expected policy.json, got weights.safetensors");
  EXPECT_EQ(written([](Files& files) { files.erase(files.begin() + 1); }),
            "expected manifest.json.sig, got key-certificate.json");
  EXPECT_EQ(written([](Files& files) { files.back().first = files[6].first; }),
            "golden-000.ppm is there twice");
  EXPECT_EQ(written([](Files& files) { files[4].second += ' '; }),
            "policy.json is not what was signed: another SHA-256");
  EXPECT_EQ(written([](Files& files) { files.clear(); }), "expected manifest.json, got nothing");
}

TEST(Bundle, IsRefusedIfItsPartsDoNotAgree) {
  SampleBundle sample;
  sample.manifest.input_size = 64;
  sample.write(sample.sealed());
  EXPECT_EQ(refusal_of(sample), "manifest.json and weights.safetensors have other preprocessing");
  sample.manifest.input_size = 32;
  sample.policy.replace(sample.policy.find("class 3"), 7, "klass 3");
  sample.write(sample.sealed());
  EXPECT_EQ(refusal_of(sample),
            "[policy] class 3 is 'class 3' in the model, 'klass 3' in the policy");
}

TEST(Bundle, IsRefusedIfThisCpuComesToOtherLogits) {
  SampleBundle sample;
  float& logit = sample.manifest.golden[2].logits[4];
  logit += 0.5e-3f;
  sample.write(sample.sealed());
  EXPECT_NO_THROW(check_golden(sample.open(), inference::Engine::dense)) << "within the tolerance";
  logit += 2e-3f;
  sample.write(sample.sealed());
  const std::string message =
      message_of<FileError>([&] { check_golden(sample.open(), inference::Engine::dense); });
  EXPECT_NE(message.find(
                "golden-002.ppm: this CPU comes to another logit of class 4 on the engine dense"),
            std::string::npos)
      << message;
}

TEST(Bundle, WeightsMustBeACheckpointOfOurs) {
  SampleBundle sample;
  sample.weights = "no weights";
  sample.write(sample.sealed());
  EXPECT_EQ(refusal_of(sample).find("weights.safetensors: "), 0) << refusal_of(sample);
  EXPECT_EQ(refusal_of(sample).find("/proc"), std::string::npos);
}

TEST(Bundle, CertificateAndKeyBelongTogether) {
  SampleBundle sample;
  sample.certificate.public_key = Key::generate().public_pem();
  EXPECT_EQ(message_of<std::invalid_argument>([&] { sample.sealed(); }),
            "[bundle] the certificate 'line 1' is of another key");
}

}  // namespace
}  // namespace edgeprune::station
