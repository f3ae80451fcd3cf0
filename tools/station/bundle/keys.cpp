#include "tools/station/bundle/keys.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"
#include "engine/base/strict_json.h"

namespace edgeprune::station {
namespace {

constexpr const char* kCertificateFormat = "edgeprune-key-certificate/1";
constexpr size_t kMostPemBytes = 4096;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

EVP_PKEY* pkey(const void* key) {
  return static_cast<EVP_PKEY*>(const_cast<void*>(key));
}

void require_openssl(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(fmt::format("[keys] OpenSSL could not {}", what));
}

/// OpenSSL would ask for it on the terminal, where nobody may sit.
int no_pass_phrase(char*, int, int, void*) {
  return -1;
}

std::string text_of(BIO* bio) {
  const char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(bytes)};
}

void* require_ed25519(EVP_PKEY* key, const std::string& source, const char* kind) {
  const bool right = key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
  if (!right) EVP_PKEY_free(key);
  require_file(right, source, "expected {} Ed25519 key in PEM, without a pass phrase", kind);
  return key;
}

std::string read_pem(const std::string& path) {
  require_file(start_of_file(path, kMostPemBytes + 1).size() <= kMostPemBytes, path,
               "expected an Ed25519 key in PEM, it is too large for one");
  const std::vector<char> bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

void Key::Free::operator()(void* key) const {
  EVP_PKEY_free(static_cast<EVP_PKEY*>(key));
}

Key Key::generate() {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  require_openssl(key != nullptr, "make a key");
  return Key(key);
}

Key Key::read_private(const std::string& path) {
  const std::string pem = read_pem(path);
  struct stat status {};
  require_file(::stat(path.c_str(), &status) == 0, path, "cannot be read");
  require_file((status.st_mode & 077) == 0, path,
               "others may read this private key: expected the permissions 0600, got {:04o}",
               status.st_mode & 07777);
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return Key(require_ed25519(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr),
                             path, "a private"));
}

Key Key::read_public(const std::string& path) {
  return parse_public(read_pem(path), path);
}

Key Key::parse_public(std::string_view pem, const std::string& source) {
  require_file(pem.size() <= kMostPemBytes, source,
               "expected a public key in PEM, it is too large");
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  return Key(require_ed25519(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_pass_phrase, nullptr),
                             source, "a public"));
}

void Key::write_private(const std::string& path) const {
  const Bio bio(BIO_new(BIO_s_secmem()), BIO_free);
  require_openssl(PEM_write_bio_PKCS8PrivateKey(bio.get(), pkey(key_.get()), nullptr, nullptr, 0,
                                                nullptr, nullptr) == 1,
                  "write a key");
  const std::string pem = text_of(bio.get());
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  require_file(file >= 0, path, "the key cannot be written: {}", std::strerror(errno));
  const bool whole = ::write(file, pem.data(), pem.size()) == std::ssize(pem) && ::fsync(file) == 0;
  ::close(file);
  if (!whole) ::unlink(path.c_str());
  require_file(whole, path, "the key could not be written whole");
}

std::string Key::public_pem() const {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  require_openssl(PEM_write_bio_PUBKEY(bio.get(), pkey(key_.get())) == 1, "write a public key");
  return text_of(bio.get());
}

Signature Key::sign(std::string_view bytes) const {
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  Signature signature(kSignatureBytes, '\0');
  size_t length = signature.size();
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  require_openssl(
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, pkey(key_.get())) == 1 &&
          EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                         data, bytes.size()) == 1 &&
          length == kSignatureBytes,
      "sign");
  return signature;
}

bool Key::verify(std::string_view bytes, std::string_view signature) const {
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return signature.size() == kSignatureBytes &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey(key_.get())) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                          bytes.size()) == 1;
}

KeyCertificate parse_certificate(std::string_view text, const std::string& source) {
  StrictObject json(parse_json(text, source), source);
  for (const char* key : {"format", "name", "public_key", "first_counter", "last_counter"}) {
    json.require_key(key);
  }
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  std::string format;
  KeyCertificate certificate;
  json.get("format", format);
  if (format != kCertificateFormat) {
    json.fail("format", fmt::format("expected {}, got {}", kCertificateFormat, printable(format)));
  }
  json.get("name", certificate.name);
  json.get("public_key", certificate.public_key);
  json.get("first_counter", certificate.first_counter, 1, kMost);
  json.get("last_counter", certificate.last_counter, certificate.first_counter, kMost);
  json.finish();
  return certificate;
}

std::string certificate_text(const KeyCertificate& certificate) {
  const nlohmann::ordered_json json = {{"format", kCertificateFormat},
                                       {"name", certificate.name},
                                       {"public_key", certificate.public_key},
                                       {"first_counter", certificate.first_counter},
                                       {"last_counter", certificate.last_counter}};
  return json_text(json, 2) + "\n";
}

}  // namespace edgeprune::station
