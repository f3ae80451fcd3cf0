#pragma once
// Ed25519 keys and signatures, by OpenSSL: what `openssl genpkey -algorithm ed25519` makes and `openssl pkeyutl -verify
// -rawin` checks. An offline root key signs the certificates of signing keys, these sign bundles.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace edgeprune::station {

/// 64 bytes.
using Signature = std::string;
inline constexpr size_t kSignatureBytes = 64;

/// One key, private or public alone.
class Key {
 public:
  static Key generate();
  /// PEM. Throws FileError on what is no Ed25519 key; of private ones also on a pass phrase, and on a file that others may
  /// read.
  static Key read_private(const std::string& path);
  static Key read_public(const std::string& path);
  static Key parse_public(std::string_view pem, const std::string& source);

  /// With mode 0600; throws FileError if the file is there: no key is ever overwritten.
  void write_private(const std::string& path) const;
  std::string public_pem() const;

  Signature sign(std::string_view bytes) const;
  bool verify(std::string_view bytes, std::string_view signature) const;

 private:
  struct Free {
    void operator()(void* key) const;
  };
  explicit Key(void* key) : key_(key) {}
  std::unique_ptr<void, Free> key_;  ///< an EVP_PKEY: users of this header need no OpenSSL
};

/// What the root says of a signing key. It is valid for bundles of these counters, whatever the clock says: a lost key is
/// revoked by a bundle with a counter beyond its last, under another key.
struct KeyCertificate {
  std::string name;        ///< for people
  std::string public_key;  ///< PEM
  int64_t first_counter = 1, last_counter = 0;
};
/// Throws FileError("source: ...") on unknown or missing keys.
KeyCertificate parse_certificate(std::string_view text, const std::string& source);
std::string certificate_text(const KeyCertificate& certificate);

}  // namespace edgeprune::station
