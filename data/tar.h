#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace edgeprune {

/// True if `path` is a file whose name ends as archives' do: .tar, .tar.gz or .tgz.
bool is_tar(const std::string& path);

/// The contents of those files in a tar archive, compressed by gzip or not, that are in `wanted`, by
/// their paths in it; others are passed over. Throws FileError if the archive is missing, truncated,
/// damaged, or takes more than a gigabyte of memory.
std::map<std::string, std::vector<char>> read_tar(const std::string& path,
                                                  const std::set<std::string>& wanted);

}  // namespace edgeprune
