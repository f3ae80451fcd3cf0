#include "engine/kernels/panels/relayout.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "tests/support/panels.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::panels {
namespace {

using testing::identical;
using testing::random_tensor;

class Relayout : public testing::OnEveryTarget {};

TEST_P(Relayout, ImagesBecomePanelsAndBack) {
  for (const int64_t batch : {1, 3, 16, 65}) {
    for (const int64_t pixels : {1, 4, 15, 64}) {
      for (const int64_t channels : {1, 10, 33}) {
        const Tensor images = random_tensor({batch, pixels, 1, channels}, 1);
        const PanelLayout layout{channels, pixels * batch};
        testing::Output panels({layout.size()}), back(images.shape());
        to_panels(batch, pixels, channels, images.data(), panels.data());
        const Tensor written = panels.written();
        EXPECT_TRUE(
            identical(testing::from_panels(written, layout), testing::images_to_matrix(images)));
        from_panels(batch, pixels, channels, written.data(), back.data());
        EXPECT_TRUE(identical(back.written(), images));
      }
    }
  }
}

TEST_P(Relayout, GatheredImagesStandInnermost) {
  for (const int64_t count : {1, 2, 3, 5, 8, 16, 32, 48, 64, 65}) {
    for (const int64_t pixels : {1, 4, 15, 16, 48, 64, 256}) {
      for (const int64_t channels : {1, 3, 17}) {
        const Tensor images = random_tensor({count, pixels, 1, channels}, 1);
        const PanelLayout one{channels, pixels}, all{channels, pixels * count};
        Tensor singles({count, one.size()}, NAN);
        for (int64_t n = 0; n < count; ++n) {
          to_panels(1, pixels, channels, images.data() + n * pixels * channels,
                    singles.data() + n * one.size());
        }
        for (const int threads : {1, 3}) {
          const ThreadScope scope(threads);
          testing::Output panels({all.size()});
          gather_images(count, pixels, channels, singles.data(), panels.data());
          EXPECT_TRUE(identical(testing::from_panels(panels.written(), all),
                                testing::images_to_matrix(images)))
              << count << " images, " << pixels << " pixels, " << channels << " channels";
        }
      }
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(Relayout);

}  // namespace
}  // namespace edgeprune::panels
