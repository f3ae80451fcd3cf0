#include "data/tar.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <string_view>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMostBytes = uint64_t{1} << 30;  // that are kept
/// CIFAR's are a sixth of this. What unfolds further is a bomb.
constexpr uint64_t kMostUnfolded = uint64_t{4} << 30;

using Block = std::array<char, kBlock>;

/// What a gzip file unfolds to; a file that is none, as it is.
class Unzipped {
 public:
  explicit Unzipped(const std::string& path)
      : path_(path), file_(gzopen(path.c_str(), "rb"), gzclose) {
    require_file(file_ != nullptr, path, "cannot open");
  }

  /// All of `bytes`, or false at the end.
  bool read(char* to, size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
      const int count =
          gzread(file_.get(), to + done, unsigned(std::min<size_t>(bytes - done, 1 << 20)));
      require_file(count >= 0, path_, "damaged archive: {}", message());
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    unfolded_ += done;
    require_file(unfolded_ <= kMostUnfolded, path_, "unfolds to more than {} GB",
                 kMostUnfolded >> 30);
    if (done == bytes) return true;
    require_file(done == 0, path_, "truncated archive");
    return false;
  }

 private:
  std::string message() {
    int number = 0;
    return gzerror(file_.get(), &number);
  }

  const std::string& path_;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
  uint64_t unfolded_ = 0;
};

/// A field of the header (POSIX.1-1988, ustar): text up to a zero, or all of it.
std::string_view field(const Block& header, size_t at, size_t length) {
  const std::string_view all(header.data() + at, length);
  return all.substr(0, all.find('\0'));
}

/// A number of the header in octal digits.
uint64_t number(const Block& header, size_t at, size_t length, const std::string& path) {
  uint64_t value = 0;
  for (const char c : field(header, at, length)) {
    if (c == ' ') continue;
    require_file(c >= '0' && c <= '7', path, "damaged archive: a header has '{}' in a number",
                 static_cast<int>(c));
    value = value * 8 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

void check_sum(const Block& header, const std::string& path) {
  constexpr size_t kSum = 148, kLength = 8;
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= kSum && i < kSum + kLength;  // counts as spaces
    sum += own ? ' ' : static_cast<unsigned char>(header[i]);
  }
  require_file(sum == number(header, kSum, kLength, path), path,
               "no tar archive, or a damaged one: a header's checksum is wrong");
}

}  // namespace

bool is_tar(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  return path.ends_with(".tar") || path.ends_with(".tar.gz") || path.ends_with(".tgz");
}

std::map<std::string, std::vector<char>> read_tar(const std::string& path,
                                                  const std::set<std::string>& wanted) {
  constexpr size_t kName = 100, kSize = 124, kType = 156;
  Unzipped archive(path);
  std::map<std::string, std::vector<char>> files;
  Block header;
  uint64_t kept = 0;
  while (archive.read(header.data(), kBlock)) {
    if (std::ranges::all_of(header, [](char c) { return c == '\0'; })) continue;  // the end
    check_sum(header, path);
    std::string name(field(header, 0, kName));
    if (name.starts_with("./")) name.erase(0, 2);
    const uint64_t size = number(header, kSize, 12, path);
    const bool regular = header[kType] == '0' || header[kType] == '\0';
    const bool take = regular && wanted.contains(name);
    kept += take ? size : 0;
    require_file(kept <= kMostBytes, path, "its files take more than {} GB", kMostBytes >> 30);
    std::vector<char> content;
    Block block;
    for (uint64_t left = size; left > 0;) {
      require_file(archive.read(block.data(), kBlock), path, "truncated archive: '{}' is cut off",
                   name);
      const size_t count = std::min<uint64_t>(left, kBlock);
      if (take) content.insert(content.end(), block.begin(), block.begin() + count);
      left -= count;
    }
    if (take) files[name] = std::move(content);
  }
  return files;
}

}  // namespace edgeprune
