#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace edgeprune {

/// Foreign text made fit for a one-line message: control characters masked, long ones cut.
std::string printable(std::string_view text, size_t longest = 80);

}  // namespace edgeprune
