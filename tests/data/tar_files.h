#pragma once
// Small tar archives, made by the tests themselves.

#include <fmt/format.h>
#include <zlib.h>

#include <string>

namespace edgeprune::testing {

/// A file's header and content, filled up to blocks of 512 bytes.
inline std::string tar_entry(const std::string& name, const std::string& content, char type = '0') {
  std::string header = name + std::string(100 - name.size(), '\0');
  header += std::string(
      "0000644\0"
      "0000000\0"
      "0000000\0",
      24);
  header += fmt::format("{:011o}", content.size()) + '\0';
  header += std::string("00000000000\0", 12) + std::string(8, ' ') + type;
  header.resize(512, '\0');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

inline std::string tar_end() {
  return std::string(1024, '\0');
}

inline void write_gzip(const std::string& path, const std::string& content) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
}

}  // namespace edgeprune::testing
