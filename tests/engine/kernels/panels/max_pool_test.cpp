#include "engine/kernels/panels/max_pool.h"

#include <gtest/gtest.h>

#include <tuple>

#include "engine/base/parallel.h"
#include "engine/kernels/simd/elementwise.h"
#include "engine/kernels/simd/max_pool.h"
#include "tests/support/panels.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::panels {
namespace {

using testing::identical;
using testing::images_to_matrix;
using testing::random_tensor;

class PanelMaxPool : public testing::OnEveryTarget {
 protected:
  static Tensor pool(const Conv2dShape& s, const Tensor& images) {
    Tensor scratch({thread_count(), max_pool_scratch_size(s)}, NAN);
    const PanelLayout out{s.in_channels, s.out_height() * s.out_width() * s.batch};
    testing::Output output({out.size()});
    max_pool(s, testing::to_panels(images_to_matrix(images)).data(), scratch.data(), output.data());
    return testing::from_panels(output.written(), out);
  }
  static Tensor scale(const Tensor& images, const Tensor& factors) {
    const int64_t channels = images.dim(3), pixels = images.dim(1) * images.dim(2),
                  batch = images.dim(0);
    const PanelLayout layout{channels, pixels * batch};
    testing::Output output({layout.size()});
    scale_channels(channels, pixels, batch, testing::to_panels(images_to_matrix(images)).data(),
                   testing::to_panels(images_to_matrix(factors)).data(), output.data());
    return testing::from_panels(output.written(), layout);
  }
};

// The channels-last one is held against plain loops in tests/engine/kernels/max_pool_test.cpp.
TEST_P(PanelMaxPool, IsThatOfChannelsLastTensors) {
  for (const int64_t batch : {1, 2, 3, 16, 65}) {
    for (const auto& [kernel, stride, padding] :
         {std::tuple{3, 2, 1}, {2, 2, 0}, {3, 1, 1}, {1, 1, 0}, {2, 3, 1}, {5, 2, 2}}) {
      for (const auto& [height, width, channels] :
           {std::tuple{5, 7, 3}, {6, 3, 17}, {9, 9, 2}, {32, 33, 2}}) {
        const Conv2dShape s{batch, height, width, channels, channels, kernel, stride, padding, 1};
        if (height + 2 * padding < kernel || width + 2 * padding < kernel) continue;
        Tensor x = random_tensor({batch, height, width, channels}, 1);
        Tensor expected({batch, s.out_height(), s.out_width(), channels});
        simd::max_pool(s, x.data(), expected.data(), nullptr);
        EXPECT_TRUE(identical(pool(s, x), images_to_matrix(expected)));
        x.data()[x.count() / 2] = NAN;
        simd::max_pool(s, x.data(), expected.data(), nullptr);
        const Tensor actual = pool(s, x), wanted = images_to_matrix(expected);
        for (int64_t i = 0; i < actual.count(); ++i) {
          ASSERT_EQ(std::isnan(actual.data()[i]), std::isnan(wanted.data()[i])) << i;
        }
      }
    }
  }
}

TEST_P(PanelMaxPool, ChannelsAreScaledImageByImage) {
  for (const int64_t batch : {1, 2, 3, 16, 65}) {
    for (const int64_t side : {1, 4, 7, 14}) {
      const Tensor x = random_tensor({batch, side, side, 19}, 1),
                   f = random_tensor({batch, 1, 1, 19}, 2);
      Tensor expected(x.shape());
      simd::scale_channels({batch, side * side, 19}, x.data(), f.data(), expected.data());
      EXPECT_TRUE(identical(scale(x, f), images_to_matrix(expected)));
    }
  }
}

TEST_P(PanelMaxPool, ThreadsDoNotChangeResults) {
  const Conv2dShape s{2, 13, 11, 37, 37, 3, 2, 1, 1};
  const Tensor x = random_tensor({2, 13, 11, 37}, 1), f = random_tensor({2, 1, 1, 37}, 2);
  const auto with_threads = [&](int threads) {
    const ThreadScope scope(threads);
    return std::pair(pool(s, x), scale(x, f));
  };
  const auto [one_pooled, one_scaled] = with_threads(1);
  const auto [three_pooled, three_scaled] = with_threads(3);
  EXPECT_TRUE(identical(one_pooled, three_pooled));
  EXPECT_TRUE(identical(one_scaled, three_scaled));
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(PanelMaxPool);

}  // namespace
}  // namespace edgeprune::panels
