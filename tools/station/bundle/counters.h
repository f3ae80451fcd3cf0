#pragma once
// The counters of the bundles that were accepted, by product: what keeps an old one, rightly signed, from coming back.

#include <cstdint>
#include <map>
#include <string>

namespace edgeprune::station {

using Counters = std::map<std::string, int64_t>;

/// None if there is no such file, as on a new station: whoever can remove it can bring back old bundles. Throws FileError on
/// a damaged one.
Counters read_counters(const std::string& path);
void write_counters(const std::string& path, const Counters& counters);

}  // namespace edgeprune::station
