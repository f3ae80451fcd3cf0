#pragma once
// McNemar's exact test: are two networks equally often right on the same test images?

#include <cstdint>
#include <string>

namespace edgeprune {

/// How often one network alone has an image right, and what follows from it.
struct McNemar {
  int64_t only_first = 0, only_second = 0;
  double p = 1;
};

/// Two-sided p-value of the exact (binomial) test: were both networks equally good, each image that
/// just one of them has right would be a fair coin's throw, so that with n = only_first +
/// only_second and k the smaller of the two, p = min(1, 2 * P(X <= k)), X ~ Binomial(n, 1/2)
/// (McNemar 1947; the exact form as in Fagerland et al. 2013). 1 if n is 0. Relative error below
/// 1e-9 for thousands of images; below 1e-307 it becomes 0. Throws std::invalid_argument on a
/// negative count.
double mcnemar_p_value(int64_t only_first, int64_t only_second);

/// The test on two RunRecord::correct of `images` images each. Throws std::invalid_argument if
/// either has another length or a character that is no hexadecimal digit.
McNemar mcnemar(const std::string& first, const std::string& second, int64_t images);

}  // namespace edgeprune
