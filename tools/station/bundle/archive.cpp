#include "tools/station/bundle/archive.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune::station {
namespace {

constexpr size_t kBlock = 512, kNameBytes = 100, kSizeAt = 124, kSumAt = 148;
constexpr uint64_t kMostBytes = uint64_t{1}
                                << 32;  ///< what a header's 11 octal digits hold, halved

/// No folders: nothing can leave the one that it is unpacked in.
bool is_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() < kNameBytes && name.front() != '.' && name.front() != '-' &&
         std::ranges::all_of(name, plain);
}

size_t padding_of(size_t bytes) {
  return (kBlock - bytes % kBlock) % kBlock;
}

/// POSIX ustar: a regular file of mode 0644, of nobody, of no time.
std::string header_of(std::string_view name, uint64_t bytes) {
  std::string header(kBlock, '\0');
  const auto put = [&](size_t at, std::string_view text) { text.copy(&header[at], text.size()); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(kSizeAt, fmt::format("{:011o}", bytes));
  put(136, "00000000000");
  put(kSumAt, "        ");
  put(156, "0");
  put(257, std::string_view("ustar\00000", 8));
  uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(kSumAt, fmt::format("{:06o}", sum));
  header[kSumAt + 6] = '\0';
  return header;
}

}  // namespace

std::string pack(const Files& files) {
  std::string archive;
  for (const auto& [name, bytes] : files) {
    require(is_name(name) && bytes.size() <= kMostBytes, "bundle",
            "'{}' of {} bytes cannot be packed", printable(name), bytes.size());
    archive += header_of(name, bytes.size());
    archive += bytes;
    archive.append(padding_of(bytes.size()), '\0');
  }
  return archive.append(2 * kBlock, '\0');
}

FileViews unpack(std::string_view archive, const std::string& source) {
  const std::string end(2 * kBlock, '\0');
  FileViews files;
  std::set<std::string> names;
  size_t at = 0;
  while (true) {
    const std::string_view rest = archive.substr(at);
    require_file(rest.size() >= 2 * kBlock, source, "it is cut off, or no bundle");
    if (rest == end) return files;
    const std::string name(rest.data(), ::strnlen(rest.data(), kNameBytes));
    uint64_t bytes = 0;
    std::from_chars(rest.data() + kSizeAt, rest.data() + kSizeAt + 11, bytes, 8);
    require_file(is_name(name) && bytes <= kMostBytes && rest.starts_with(header_of(name, bytes)),
                 source, "it is damaged, or no bundle: no header of a file at byte {}", at);
    require_file(names.insert(name).second, source, "{} is there twice", name);
    require_file(names.size() <= kMostFiles, source, "it has more than {} files", kMostFiles);
    const size_t padding = padding_of(bytes);
    require_file(rest.size() - kBlock >= bytes + padding, source, "it is cut off in {}", name);
    files.emplace_back(name, rest.substr(kBlock, bytes));
    require_file(rest.substr(kBlock + bytes, padding) == end.substr(0, padding), source,
                 "it is damaged behind {}", name);
    at += kBlock + bytes + padding;
  }
}

}  // namespace edgeprune::station
