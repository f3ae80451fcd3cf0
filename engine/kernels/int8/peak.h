#pragma once
// What this machine can do at most in integers, measured: the limit that layers are held against, beside that
// of floats (kernels/simd/roofline.h).

namespace edgeprune::int8 {

/// Products of bytes summed to 32 bits, on registers alone, the fastest exact way that the target in use has
/// (product.h), all threads in force together: 10^9 operations a second, two a multiply-add. 0 where kernels
/// are plain loops.
double peak_gops();

/// That way's name: rates of different ways are not compared.
const char* fastest_product();

}  // namespace edgeprune::int8
