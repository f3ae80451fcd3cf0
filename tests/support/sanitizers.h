#pragma once
// Whether the tests run under the sanitizers (the preset asan), where they take 3 to 15 times as
// long. What a test only repeats there, on more data or with other numbers through the same lines,
// it may leave to the release build, and says so.

namespace edgeprune::testing {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace edgeprune::testing
