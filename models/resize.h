#pragma once

#include "engine/base/names.h"

namespace edgeprune {

/// How an image of any size and shape becomes a network's square. It belongs to the model: images
/// must come to it as they came to its training. (data/resize.h does it.)
enum class Resize { squash, pad, crop, plain };

inline constexpr Named<Resize> kResizes[] = {
    {Resize::squash, "squash", "stretched to the square"},
    {Resize::pad, "pad", "whole, its shape kept, between black bars"},
    {Resize::crop, "crop",
     "its shape kept, the shorter side fills the square, the middle is taken"},
    {Resize::plain, "plain",
     "squash without antialiasing, as before version 0.2: details of large images get lost"}};
static_assert(in_order(kResizes));
inline const char* to_string(Resize resize) {
  return name_of(kResizes, resize);
}
/// Throws std::invalid_argument listing the choices.
inline Resize parse_resize(std::string_view name) {
  return value_of("resize", kResizes, name);
}

}  // namespace edgeprune
