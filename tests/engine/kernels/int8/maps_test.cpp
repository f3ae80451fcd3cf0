#include "engine/kernels/int8/maps.h"

#include <array>

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

TEST_P(Int8Maps, MaxPoolIsTheLargestOfEachWindow) {
  for (const int64_t size : {1, 2, 7, 14, 31}) {
    for (const auto& [kernel, stride, padding] :
         {std::array<int64_t, 3>{3, 2, 1}, {2, 2, 0}, {3, 1, 1}}) {
      if (size + 2 * padding < kernel) continue;
      const Conv2dShape shape{.batch = 3,
                              .in_height = size,
                              .in_width = size + 2,
                              .in_channels = 21,
                              .out_channels = 21,
                              .kernel = kernel,
                              .stride = stride,
                              .padding = padding};
      const int64_t pixel = pixel_bytes(21), pixels = size * (size + 2);
      const auto from = random_integers<uint8_t>(3 * pixels * pixel, 0, 255, 5);
      std::vector<uint8_t> expected(
          static_cast<size_t>(3 * shape.out_height() * shape.out_width() * pixel));
      reference::max_pool_int8(shape, from.data(), expected.data());
      for (const int threads : {1, 2}) {
        const ThreadScope scope(threads);
        std::vector<uint8_t> to(expected.size(), 7);
        int8::max_pool(shape, from.data(), to.data());
        ASSERT_EQ(to, expected) << size << ", " << kernel << "/" << stride;
      }
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8Maps);

}  // namespace
}  // namespace edgeprune
