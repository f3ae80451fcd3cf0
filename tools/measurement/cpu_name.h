#pragma once

#include <istream>
#include <string>

namespace edgeprune {

/// The CPU's name by what Linux writes to /proc/cpuinfo: its "model name"; on ARM, where there is
/// none, the cores' names by implementer and part, "Cortex-A53 + Cortex-A72" for two kinds of them
/// and "ARM implementer 0x41 part 0xfff" for one that is not listed here. "unknown CPU" otherwise.
std::string cpu_name(std::istream& cpuinfo);

}  // namespace edgeprune
