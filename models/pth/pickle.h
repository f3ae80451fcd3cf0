#pragma once
// As much of Python's pickle format, protocols 2 to 5 (https://peps.python.org/pep-0307, pep-3154,
// pep-0574), as torch.save writes. Nothing is imported, called or built: a pickled call is only recorded, and for its reader
// to interpret, or not.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "models/pth/byte_cursor.h"

namespace edgeprune::pickle {

struct Value;
using Ref = const Value*;  ///< into Pickle::values; may form cycles, so never walk to any depth

struct None {};
struct Global {
  std::string name;  ///< "torch.FloatStorage"
};
struct Tuple {
  std::vector<Ref> items;
};
struct List {
  std::vector<Ref> items;
};
/// A dict, collections.OrderedDict or defaultdict, whose attributes (torch's `_metadata`) are dropped. Keys may
/// repeat.
struct Dict {
  std::vector<std::pair<Ref, Ref>> items;
};
/// function(*arguments), whatever the function: as often as not an object of that class. Items that
/// are put into it afterwards are dropped.
struct Call {
  const Global* function;
  const Tuple* arguments;
  Ref state = nullptr;  ///< what the object would be given as its attributes
};
/// What no reader of ours interprets: an integer of more than 8 bytes, bytes, sets, what a computed
/// function gives.
struct Opaque {};
/// An object kept outside the pickle: torch's storages.
struct PersistentId {
  Ref id;
};

struct Value {
  std::variant<None, bool, int64_t, double, std::string, Global, Tuple, List, Dict, Call, Opaque,
               PersistentId>
      is;
};

/// The value as a T, nullptr if it is something else.
template <typename T>
const T* as(Ref value) {
  return std::get_if<T>(&value->is);
}

struct Pickle {
  std::deque<Value> values;  ///< owns every value
  Ref root = nullptr;
  std::vector<const PersistentId*> persistent_ids;
};

/// Reads one pickle and leaves the cursor after it. Takes time and memory in proportion to the
/// pickle's length, up to some 200 MB. Throws FileError if the pickle is truncated or malformed, or has
/// more than two million opcodes or one of another protocol.
Pickle unpickle(ByteCursor& bytes);

}  // namespace edgeprune::pickle
