#pragma once
// The one file that a bundle is: a tar archive (`tar xf` unpacks it) of which there is exactly one form for the same
// contents. Nothing is compressed, nothing has a path or a time, so that no bit can change unseen.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edgeprune::station {

/// Name and bytes, in order.
using Files = std::vector<std::pair<std::string, std::string>>;
using FileViews = std::vector<std::pair<std::string, std::string_view>>;

inline constexpr size_t kMostFiles = 1000;

/// Throws std::invalid_argument on names that are none: letters, digits and . _ - only, not first a point.
std::string pack(const Files& files);

/// Views into `archive`. Throws FileError("source: ...") on any byte that pack() would not have written, and on the same
/// name twice.
FileViews unpack(std::string_view archive, const std::string& source);

}  // namespace edgeprune::station
