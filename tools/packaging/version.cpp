#include "tools/packaging/version.h"

#include <fmt/ranges.h>
#include <hwy/highway.h>
#include <openssl/crypto.h>
#include <zip.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <nlohmann/json_fwd.hpp>
#include <protozero/version.hpp>

#include "data/image_codec.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/simd/target.h"
#include "tools/measurement/machine.h"

namespace edgeprune::packaging {
namespace {

/// Shared libraries say themselves what they are, which may be newer than what was compiled
/// against; of those made of headers it is the headers' version.
std::string libraries() {
  std::string text = fmt::format(
      "oneDNN {}, Highway {}.{}.{}, fmt {}.{}.{}, CLI11 {}, nlohmann/json {}.{}.{}, "
      "protozero {}, libzip {}, zlib {}, OpenSSL {}, OpenMP {}",
      onednn::version(), HWY_MAJOR, HWY_MINOR, HWY_PATCH, FMT_VERSION / 10000,
      FMT_VERSION / 100 % 100, FMT_VERSION % 100, CLI11_VERSION, NLOHMANN_JSON_VERSION_MAJOR,
      NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH, PROTOZERO_VERSION_STRING,
      zip_libzip_version(), zlibVersion(), OpenSSL_version(OPENSSL_VERSION_STRING),
      EDGEPRUNE_OPENMP);
  for (const ImageCodec& codec : image_codecs()) {
    if (codec.version != nullptr) text += fmt::format(", {} {}", codec.library, codec.version());
  }
  return text;
}

}  // namespace

std::string version_text(const std::string& version) {
  return fmt::format(
      "edgeprune {}\n"
      "commit: {}\n"
      "build: {}\n"
      "libraries: {}\n"
      "instruction sets: {}; in use: {}\n",
      version, build_commit(), compiler_description(), libraries(),
      fmt::join(simd::compiled_targets(), ", "), simd::target_description());
}

}  // namespace edgeprune::packaging
