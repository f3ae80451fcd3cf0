#include "engine/kernels/int8/elementwise.h"

#include <cmath>
#include <limits>

#include "engine/base/parallel.h"
#include "tests/support/int8.h"

namespace edgeprune {
namespace {

using testing::random_integers;

class Int8Elementwise : public testing::OnEveryInt8Target {};

TEST_P(Int8Elementwise, QuantizesToTheNearestTiesToEven) {
  const Grid grid{.scale = 0.5f, .zero_point = 100, .lowest = 2, .highest = 250};
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{0.0f, 0.25f, 0.75f, -0.25f, -0.75f,    0.3f,       -1e9f, 1e9f,
                             kNaN, 49.0f, 74.9f, 75.1f,  kInfinity, -kInfinity, 1.0f};
  const std::vector<uint8_t> expected{100, 100, 102, 100, 100, 98,  101, 100, 2,   250,
                                      2,   100, 198, 250, 250, 100, 250, 2,   102, 100};
  std::vector<uint8_t> bytes(expected.size());
  int8::quantize(x.data(), 5, 3, grid, 4, bytes.data());
  EXPECT_EQ(bytes, expected);
}

TEST_P(Int8Elementwise, QuantizesAnyNumberOfChannels) {
  const Grid grid{.scale = 0.02f, .zero_point = 117, .lowest = 0, .highest = 255};
  for (const auto& [channels, pixel] : {std::pair<int64_t, int64_t>{1, 4},
                                        {2, 4},
                                        {3, 4},
                                        {3, 16},
                                        {4, 4},
                                        {5, 8},
                                        {20, 32},
                                        {1500, 1504}}) {
    const int64_t pixels = 700;
    const auto hundredths = random_integers<int>(pixels * channels, -300, 300, 1);
    std::vector<float> x;
    for (const int value : hundredths) x.push_back(static_cast<float>(value) * 0.01f);
    std::vector<uint8_t> bytes(static_cast<size_t>(pixels * pixel));
    int8::quantize(x.data(), pixels, channels, grid, pixel, bytes.data());
    for (int64_t i = 0; i < pixels * pixel; ++i) {
      const int64_t c = i % pixel;
      const int expected =
          c < channels ? grid.quantize(x[static_cast<size_t>(i / pixel * channels + c)]) : 117;
      ASSERT_EQ(bytes[static_cast<size_t>(i)], expected) << i;
    }
  }
}

TEST_P(Int8Elementwise, PoolIsTheRoundedMean) {
  const Grid input{.scale = 0.04f, .zero_point = 128, .lowest = 0, .highest = 255};
  const Grid output{.scale = 0.02f, .zero_point = 100, .lowest = 0, .highest = 255};
  for (const int64_t pixels : {1, 4, 49}) {
    const int64_t batch = 3, channels = 70, pixel = pixel_bytes(channels);
    const auto from = random_integers<uint8_t>(batch * pixels * pixel, 0, 255, 5);
    std::vector<uint8_t> to(static_cast<size_t>(batch * pixel));
    int8::global_average_pool(batch, pixels, channels, input, from.data(), output, to.data());
    const float multiplier = input.scale / (output.scale * static_cast<float>(pixels));
    for (int64_t i = 0; i < batch * pixel; ++i) {
      int sum = 0;
      for (int64_t p = 0; p < pixels; ++p) {
        sum += from[static_cast<size_t>((i / pixel * pixels + p) * pixel + i % pixel)] - 128;
      }
      ASSERT_EQ(to[static_cast<size_t>(i)],
                round_to_byte(static_cast<float>(sum) * multiplier, output));
    }
  }
}

TEST_P(Int8Elementwise, AddsTwoScales) {
  const Grid a{.scale = 0.5f, .zero_point = 128, .lowest = 0, .highest = 255};
  const Grid b{.scale = 0.25f, .zero_point = 0, .lowest = 0, .highest = 127};
  const Grid sum{.scale = 1.0f, .zero_point = 10, .lowest = 0, .highest = 60};
  const std::vector<uint8_t> left{128, 130, 129, 129, 0, 255}, right{0, 4, 0, 4, 127, 127};
  // 0; 1 + 1; 0.5, a tie; 0.5 + 1, a tie; -64 + 31.75; 63.5 + 31.75.
  const std::vector<uint8_t> expected{10, 12, 10, 12, 0, 60};
  std::vector<uint8_t> to(6);
  int8::add(6, a, left.data(), b, right.data(), sum, to.data());
  EXPECT_EQ(to, expected);
}

TEST_P(Int8Elementwise, ScalesChannels) {
  const Grid map{.scale = 0.5f, .zero_point = 10, .lowest = 0, .highest = 255};
  const Grid factor{.scale = 0.25f, .zero_point = 0, .lowest = 0, .highest = 127};
  const Grid product{.scale = 0.5f, .zero_point = 4, .lowest = 0, .highest = 200};
  std::vector<uint8_t> maps(32, 10), factors(16, 0), expected(32, 4), to(32, 77);
  // 2 x 0.25, a step; 3 x 0.25, one and a half, to even; -5 x 1; 122.5 x 0.5; 122.5 x 31.75, beyond.
  maps = {14, 16, 0, 255, 255, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
          10, 22, 0, 10,  0,   10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10};
  factors = {1, 1, 4, 2, 127, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
  expected = {5, 6, 0, 126, 200, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
              4, 7, 0, 4,   0,   4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
  int8::scale_channels(1, 2, 5, map, maps.data(), factor, factors.data(), product, to.data());
  EXPECT_EQ(to, expected);
}

TEST_P(Int8Elementwise, ScalesAnyNumberOfChannelsAsThePlainLoopsDo) {
  const Grid map{.scale = 0.031f, .zero_point = 31, .lowest = 0, .highest = 255};
  const Grid factor{.scale = 0.0037f, .zero_point = 2, .lowest = 0, .highest = 255};
  const Grid product{.scale = 0.027f, .zero_point = 13, .lowest = 1, .highest = 250};
  for (const int64_t channels : {1, 16, 72, 130}) {
    for (const int64_t pixels : {1, 9, 700}) {
      const int64_t images = 3, pixel = pixel_bytes(channels);
      const auto maps = random_integers<uint8_t>(images * pixels * pixel, 0, 255, 5);
      const auto factors = random_integers<uint8_t>(images * pixel, 0, 255, 6);
      std::vector<uint8_t> expected(maps.size()), to(maps.size() + 64, 99);
      reference::scale_channels_int8(images, pixels, channels, map, maps.data(), factor,
                                     factors.data(), product, expected.data());
      expected.insert(expected.end(), 64, 99);
      for (const int threads : {1, 3}) {
        const ThreadScope scope(threads);
        int8::scale_channels(images, pixels, channels, map, maps.data(), factor, factors.data(),
                             product, to.data());
        ASSERT_EQ(to, expected) << channels << " channels, " << pixels << " pixels";
      }
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8Elementwise);

TEST(Int8Pool, RefusesMapsWhoseSumsCouldOverflow) {
  EXPECT_THROW(int8::global_average_pool(1, 8'421'505, 16, Grid{}, nullptr, Grid{}, nullptr),
               std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
