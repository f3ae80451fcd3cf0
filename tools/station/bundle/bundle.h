#pragma once
// A model with all that belongs to it, signed: made where it was trained, opened at a station. README, "Bundles".

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"
#include "models/checkpoint.h"
#include "tools/station/bundle/keys.h"
#include "tools/station/bundle/manifest.h"
#include "tools/station/decision/policy.h"

namespace edgeprune::station {

/// What a station asks of a bundle.
struct Acceptance {
  std::string root_key;  ///< the root's public key, a PEM file: all other trust comes from it
  /// Of the last bundle that was accepted: one of this or a lower counter is refused. (A station that starts again opens its
  /// active bundle with one less.)
  int64_t accepted_counter = 0;
  std::string product;               ///< empty: of any
  std::vector<std::string> classes;  ///< empty: any
};

struct Bundle {
  Manifest manifest;
  Checkpoint checkpoint;
  Policy policy;
  std::vector<Image> golden;  ///< an image for each of the manifest's golden entries
  std::string key_name;       ///< of the certificate of the key that signed it
};

/// A manifest and the name of the key that signed it.
struct Signed {
  Manifest manifest;
  std::string key_name;
};
/// What a bundle says of itself, for people: nothing of it is verified.
Signed read_unverified(const std::string& path);

/// Reads the file once; what is verified is what is loaded, whatever happens to the file meanwhile. Throws FileError("path:
/// ..."), one line, unless: root signed the certificate, its key the manifest, for this counter; every file is there, no
/// other is, and all have their SHA-256; counter, product and classes are as asked for; policy, weights and manifest
/// agree on classes and preprocessing; no gate is missed. Looks at no clock. Golden logits are for check_golden().
Bundle open_bundle(const std::string& path, const Acceptance& acceptance);

/// Throws FileError, naming image and class, unless this CPU comes to the golden logits: the same bits if both engines
/// compute in integers, else within the manifest's tolerance.
void check_golden(const Bundle& bundle, inference::Engine engine);

/// One image at a time, as a station runs. [images][classes]
std::vector<std::vector<float>> logits_of(const Checkpoint& checkpoint,
                                          std::span<const Image> images, inference::Engine engine);

/// A checkpoint of edgeprune's own from the bytes of its file; `source` names them in messages.
Checkpoint load_weights(std::string_view bytes, const std::string& source);

/// Whoever signs: a key and what the root said of it.
struct Signer {
  Key key;
  std::string certificate;  ///< the text of its file
  Signature certificate_signature;
};

/// The bytes of a bundle. `manifest.files` and the names of golden files are filled in here. Throws std::invalid_argument if the
/// certificate is of another key or does not cover the counter. Judges nothing else: open_bundle() does.
std::string seal(Manifest manifest, const std::string& weights, const std::string& policy,
                 std::span<const Image> golden, const Signer& signer);

/// What the bundle's files are called whose names never change.
inline constexpr const char *kManifest = "manifest.json", *kManifestSignature = "manifest.json.sig",
                            *kCertificate = "key-certificate.json",
                            *kCertificateSignature = "key-certificate.json.sig",
                            *kPolicyFile = "policy.json", *kWeights = "weights.safetensors";

/// Throws FileError("source: ..."), naming the first gate that is missed.
void require_gates(const Manifest& manifest, const std::string& source);

}  // namespace edgeprune::station
