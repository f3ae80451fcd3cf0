#pragma once
// Checkpoints that take less room the more zeros they have: a weight as one bit a value, which says
// whether it is zero, and the values that are not.

#include <string>
#include <vector>

#include "engine/tensor/archive.h"

namespace edgeprune {

/// Replaces F32 or I8 arrays of these names by "<name>.mask" (U8, ceil(count / 8) bytes: value i is bit
/// i % 8 of byte i / 8, 1 if it is there) and "<name>.values" (of the same type, in order), wherever the
/// two have fewer bytes; that is, from more than 1 zero in 32 values on, of I8 1 in 8. The metadata's "sparse" holds
/// their shapes, a JSON object {name: [dims]}. Negative zeros are values: all bits come back.
/// Throws std::invalid_argument if an array is missing or of another type.
Archive store_sparse(Archive archive, const std::vector<std::string>& names);

/// What store_sparse() was given; an archive without sparse arrays as it is. Throws
/// std::invalid_argument, naming the array, if mask, values and shape do not fit each other.
Archive restore_dense(Archive archive);

}  // namespace edgeprune
