#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace edgeprune {

/// SHA-256 over whatever is added.
class Digest {
 public:
  Digest();
  ~Digest();

  void add(const void* data, size_t bytes);
  /// Text and its end: ("ab", "c") and ("a", "bc") differ.
  void add(std::string_view text);
  /// Lower-case hex, as sha256sum prints it. Ends the digest.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace edgeprune
