#include "tools/station/bundle/bundle.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"
#include "tools/station/bundle/archive.h"
#include "tools/station/bundle/pixmap.h"

namespace edgeprune::station {
namespace {

constexpr uintmax_t kMostBundleBytes = uintmax_t{1} << 30;
constexpr size_t kTrustFiles = 4;  ///< manifest, certificate, and their signatures

std::string sha256_of(std::string_view bytes) {
  Digest digest;
  digest.add(bytes.data(), bytes.size());
  return digest.hex();
}

std::string read_whole(const std::string& path) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  require_file(!error, path, "there is no such bundle");
  require_file(bytes <= kMostBundleBytes, path, "{} bytes are too many for a bundle", bytes);
  const std::vector<char> read = read_file(path);
  return {read.begin(), read.end()};
}

/// The files that come first are who says so: until they are verified, nothing else is looked at.
void require_trust_files(const FileViews& files, const std::string& path) {
  const char* const names[] = {kManifest, kManifestSignature, kCertificate, kCertificateSignature};
  for (size_t i = 0; i < kTrustFiles; ++i) {
    require_file(i < files.size() && files[i].first == names[i], path, "expected {}, got {}",
                 names[i], i < files.size() ? files[i].first : "nothing");
  }
}

KeyCertificate certificate_in(const FileViews& files, const std::string& path) {
  return parse_certificate(files[2].second, path + ": " + kCertificate);
}

Manifest manifest_in(const FileViews& files, const std::string& path) {
  return parse_manifest(files[0].second, path + ": " + kManifest);
}

Signed verify_trust(const FileViews& files, const Key& root, const std::string& path) {
  require_trust_files(files, path);
  require_file(root.verify(files[2].second, files[3].second), path,
               "the key that signed it has no valid certificate of this root");
  const KeyCertificate certificate = certificate_in(files, path);
  const Key key = Key::parse_public(certificate.public_key, path + ": " + kCertificate);
  require_file(key.verify(files[0].second, files[1].second), path, "the signature of {} is wrong",
               kManifest);
  Manifest manifest = manifest_in(files, path);
  require_file(
      manifest.counter >= certificate.first_counter && manifest.counter <= certificate.last_counter,
      path, "counter {}: its key '{}' may sign {} to {}", manifest.counter,
      printable(certificate.name), certificate.first_counter, certificate.last_counter);
  return {std::move(manifest), certificate.name};
}

void require_files(const FileViews& files, const Manifest& manifest, const std::string& path) {
  std::vector<std::string> expected = {kPolicyFile, kWeights};
  for (const GoldenEntry& one : manifest.golden) expected.push_back(one.file);
  require_file(expected.size() == manifest.files.size() &&
                   std::ranges::equal(expected, manifest.files, {}, {}, &FileEntry::name),
               path, "{} lists other files than its golden inputs, {} and {}", kManifest,
               kPolicyFile, kWeights);
  for (size_t i = 0; i < std::max(expected.size(), files.size() - kTrustFiles); ++i) {
    const bool there = i + kTrustFiles < files.size();
    const std::string got = there ? files[i + kTrustFiles].first : "nothing";
    require_file(there && i < expected.size() && got == expected[i], path, "expected {}, got {}",
                 i < expected.size() ? expected[i] : "nothing", got);
    const std::string_view bytes = files[i + kTrustFiles].second;
    require_file(std::ssize(bytes) == manifest.files[i].bytes &&
                     sha256_of(bytes) == manifest.files[i].sha256,
                 path, "{} is not what was signed: another SHA-256", got);
  }
}

void require_acceptable(const Manifest& manifest, const Acceptance& acceptance,
                        const std::string& path) {
  require_file(manifest.counter > acceptance.accepted_counter, path,
               "counter {}: expected one above {}, which was accepted before", manifest.counter,
               acceptance.accepted_counter);
  require_file(acceptance.product.empty() || manifest.product == acceptance.product, path,
               "it is for {}, expected {}", printable(manifest.product),
               printable(acceptance.product));
  if (acceptance.classes.empty()) return;
  const std::string wanted = fmt::format("{}", fmt::join(acceptance.classes, ", "));
  const std::string got = fmt::format("{}", fmt::join(manifest.classes, ", "));
  require_file(manifest.classes == acceptance.classes, path, "expected the classes {}, got {}",
               printable(wanted), printable(got));
}

/// The weights' own metadata decide what runs; that they say the same keeps people from reading something else.
void require_agreement(const Bundle& bundle, const std::string& path) {
  const auto& [manifest, checkpoint, policy, golden, key] = bundle;
  const ModelInfo& info = checkpoint.info;
  require_file(info.classes == manifest.classes, path, "{} and {} have other classes", kManifest,
               kWeights);
  require_file(info.mean == manifest.mean && info.std == manifest.std &&
                   info.resize == manifest.resize &&
                   checkpoint.model->graph().input_size() == manifest.input_size,
               path, "{} and {} have other preprocessing", kManifest, kWeights);
  try {
    require_same_classes(policy, manifest.classes);
  } catch (const std::invalid_argument& error) {
    throw FileError(path + ": " + error.what());
  }
}

}  // namespace

void require_gates(const Manifest& manifest, const std::string& source) {
  const auto percent = [](double share) { return 100 * share; };
  const auto& accuracy = manifest.accuracy;
  require_file(!accuracy.missed(), source,
               "its gate is missed: accuracy {:.6g} % on {}, expected {:.6g} % at least",
               percent(accuracy.found), printable(manifest.gate_data), percent(accuracy.required));
  for (const RecallGate& one : manifest.recalls) {
    require_file(!one.recall.missed(), source,
                 "its gate is missed: of {} on {} {:.6g} % do not pass, expected {:.6g} % at least",
                 printable(one.name), printable(manifest.gate_data), percent(one.recall.found),
                 percent(one.recall.required));
  }
}

Signed read_unverified(const std::string& path) {
  const std::string bytes = read_whole(path);
  const FileViews files = unpack(bytes, path);
  require_trust_files(files, path);
  return {manifest_in(files, path), certificate_in(files, path).name};
}

Bundle open_bundle(const std::string& path, const Acceptance& acceptance) {
  const Key root = Key::read_public(acceptance.root_key);
  const std::string bytes = read_whole(path);
  const FileViews files = unpack(bytes, path);
  auto verified = verify_trust(files, root, path);
  Bundle bundle{.manifest = std::move(verified.manifest),
                .checkpoint = {},
                .policy = {},
                .golden = {},
                .key_name = std::move(verified.key_name)};
  require_files(files, bundle.manifest, path);
  require_acceptable(bundle.manifest, acceptance, path);
  require_gates(bundle.manifest, path);
  bundle.policy = parse_policy(files[kTrustFiles].second, path + ": " + kPolicyFile);
  bundle.checkpoint = load_weights(files[kTrustFiles + 1].second, path + ": " + kWeights);
  require_agreement(bundle, path);
  for (size_t i = kTrustFiles + 2; i < files.size(); ++i) {
    bundle.golden.push_back(parse_pixmap(files[i].second, path + ": " + files[i].first));
  }
  return bundle;
}

std::string seal(Manifest manifest, const std::string& weights, const std::string& policy,
                 std::span<const Image> golden, const Signer& signer) {
  const KeyCertificate certificate = parse_certificate(signer.certificate, kCertificate);
  require(certificate.public_key == signer.key.public_pem(), "bundle",
          "the certificate '{}' is of another key", printable(certificate.name));
  require(
      manifest.counter >= certificate.first_counter && manifest.counter <= certificate.last_counter,
      "bundle", "counter {}: the key '{}' may sign {} to {}", manifest.counter,
      printable(certificate.name), certificate.first_counter, certificate.last_counter);
  require(golden.size() == manifest.golden.size(), "bundle", "{} golden images, {} golden logits",
          golden.size(), manifest.golden.size());
  Files files = {{kPolicyFile, policy}, {kWeights, weights}};
  for (size_t i = 0; i < golden.size(); ++i) {
    manifest.golden[i].file = fmt::format("golden-{:03}.ppm", i);
    files.emplace_back(manifest.golden[i].file, pixmap_of(golden[i]));
  }
  manifest.files.clear();
  for (const auto& [name, bytes] : files) {
    manifest.files.push_back({name, sha256_of(bytes), std::ssize(bytes)});
  }
  const std::string text = manifest_text(manifest);
  files.insert(files.begin(), {{kManifest, text},
                               {kManifestSignature, signer.key.sign(text)},
                               {kCertificate, signer.certificate},
                               {kCertificateSignature, signer.certificate_signature}});
  return pack(files);
}

}  // namespace edgeprune::station
