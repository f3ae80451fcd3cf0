// A bundle's archive, and what is read of it: manifest, key certificate, policy, golden images. Signatures are left out:
// mutants would not get past them. The same readers get the input as it is, too, which changes their sizes.

#include "tests/fuzz/fuzz.h"
#include "tools/station/bundle/archive.h"
#include "tools/station/bundle/keys.h"
#include "tools/station/bundle/manifest.h"
#include "tools/station/bundle/pixmap.h"
#include "tools/station/decision/policy.h"

using namespace edgeprune;
using namespace edgeprune::station;

namespace {

constexpr const char* kName = "x.bundle";

/// What is read is what would be written.
template <typename Parse, typename Write>
void read_again(std::string_view text, const Parse& parse, const Write& write) {
  fuzz::expect_read_or_refused(kName, [&] {
    const std::string once = write(parse(text, kName));
    if (write(parse(once, kName)) != once) std::abort();
  });
}

void read_all(std::string_view text) {
  read_again(text, parse_manifest, manifest_text);
  read_again(text, parse_certificate, certificate_text);
  read_again(text, parse_policy, policy_text);
  read_again(text, parse_pixmap, pixmap_of);
  fuzz::expect_read_or_refused(kName, [&] { Key::parse_public(text, kName); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  read_all(text);
  return fuzz::expect_read_or_refused(kName, [&] {
    Files files;
    for (const auto& [name, bytes] : unpack(text, kName)) {
      read_all(bytes);
      files.emplace_back(name, bytes);
    }
    if (pack(files) != text) std::abort();  // one form for the same contents
  });
}
