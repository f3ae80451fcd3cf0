#pragma once
// JSON that somebody else wrote: read within bounds.

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "engine/base/check.h"

namespace edgeprune {

/// What a text may ask of its reader.
struct JsonLimits {
  /// Objects and lists within each other. nlohmann::json copies, compares and destroys its values
  /// by recursion: text that nests a million deep would overflow the stack. Ours nests 5 deep.
  size_t depth = 64;
  /// Values in all. One takes up to a hundred bytes of memory, and as few as two of the text. Our
  /// longest text, a safetensors header, has ten a tensor.
  size_t values = size_t{1} << 20;
};

/// The text ends inside its value, as a file does whose writer was killed.
class TruncatedJson : public FileError {
 public:
  using FileError::FileError;
};

/// The only way in which this project reads JSON from files. Throws FileError("source: ...") on
/// what is no JSON (with line and column), exceeds the limits, or has a key twice in one object;
/// TruncatedJson if more text could have made it whole. `source` names the text in messages.
nlohmann::json parse_json(std::string_view text, const std::string& source,
                          const JsonLimits& limits = {});

}  // namespace edgeprune
