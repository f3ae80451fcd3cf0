#include "engine/kernels/int8/peak.h"

#include <string>

#include "engine/base/parallel.h"
#include "engine/kernels/int8/dot_products.h"
#include "engine/kernels/simd/target.h"
#include "tests/support/int8.h"

namespace edgeprune {
namespace {

class Int8Peak : public testing::OnEveryInt8Target {};

TEST_P(Int8Peak, IsOfTheWayInForceAndNoneWhereKernelsArePlainLoops) {
  const std::string target = simd::current_target();
  const bool vectors = target == "avx2" || target == "avx512";
  const std::string dots = target == "neon" ? "sdot" : "vnni";
  EXPECT_EQ(std::string(int8::fastest_product()), int8::uses_dot_products() ? dots : "pairs");
  const ThreadScope one(1);
  EXPECT_EQ(int8::peak_gops() > 0, vectors);
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8Peak);

}  // namespace
}  // namespace edgeprune
