#include "engine/base/digest.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <stdexcept>

namespace edgeprune {
namespace {
void check(int status) {
  if (status != 1) throw std::runtime_error("[Digest] SHA-256 is not available");
}
}  // namespace

struct Digest::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> evp{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Digest::Digest() : context_(std::make_unique<Context>()) {
  check(EVP_DigestInit_ex(context_->evp.get(), EVP_sha256(), nullptr));
}
Digest::~Digest() = default;

void Digest::add(const void* data, size_t bytes) {
  check(EVP_DigestUpdate(context_->evp.get(), data, bytes));
}

void Digest::add(std::string_view text) {
  add(text.data(), text.size());
  add("", 1);
}

std::string Digest::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  check(EVP_DigestFinal_ex(context_->evp.get(), digest, &length));
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace edgeprune
