#include "engine/kernels/int8/maps.h"

#include "engine/base/parallel.h"
#include "tests/support/int8.h"

namespace edgeprune {
namespace {

using testing::random_integers;

class Int8Maps : public testing::OnEveryInt8Target {};

TEST_P(Int8Maps, DequantizesToWhatBytesStandFor) {
  const Grid grid{.scale = 0.037f, .zero_point = 117, .lowest = 0, .highest = 255};
  for (const int64_t channels : {1, 3, 16, 20, 1500}) {
    const int64_t pixels = 301;
    const auto bytes = random_integers<uint8_t>(pixels * pixel_bytes(channels), 0, 255, 3);
    std::vector<float> values(static_cast<size_t>(pixels * channels)), expected(values.size());
    reference::dequantize(bytes.data(), pixels, channels, grid, expected.data());
    for (const int threads : {1, 2}) {
      const ThreadScope scope(threads);
      std::fill(values.begin(), values.end(), -1.0f);
      int8::dequantize(bytes.data(), pixels, channels, grid, values.data());
      ASSERT_EQ(values, expected) << channels;
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8Maps);

}  // namespace
}  // namespace edgeprune
