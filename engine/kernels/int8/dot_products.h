#pragma once
// Instructions that sum four products of bytes at once, a property beside the target of
// engine/kernels/simd/target.h: of CPUs with AVX-512, of those with AVX2 and of those with NEON, some have them
// (AVX-512 VNNI, AVX-VNNI, the dot product of Armv8.2).

namespace edgeprune::int8 {

/// Whether this CPU has them, for the target in use.
bool has_dot_products();

/// Whether kernels that are made from now on use them, where there are any; at first they do.
void allow_dot_products(bool allowed);
/// Not if $EDGEPRUNE_VNNI is "0". Throws std::invalid_argument on anything but that and "1".
void allow_dot_products_by_environment();
bool uses_dot_products();

}  // namespace edgeprune::int8
