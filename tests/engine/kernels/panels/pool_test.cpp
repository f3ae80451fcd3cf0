#include "engine/kernels/panels/pool.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "tests/support/panels.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::panels {
namespace {

class PanelPool : public testing::OnEveryTarget {
 protected:
  static Tensor run(const Tensor& matrix, int64_t pixels, int64_t batch) {
    const PanelLayout out{matrix.dim(0), batch};
    testing::Output output({out.size()});
    global_average_pool(matrix.dim(0), pixels, batch, testing::to_panels(matrix).data(),
                        output.data());
    return testing::from_panels(output.written(), out);
  }
};

TEST_P(PanelPool, AveragesThePixelsOfEveryImage) {
  for (const int64_t channels : {1, 3, 16, 33, 1280}) {
    for (const int64_t pixels : {1, 3, 4, 16, 49}) {
      for (const int64_t batch : {1, 2, 3, 5, 8, 16, 32, 48, 64, 65}) {
        const Tensor matrix = testing::random_tensor({channels, pixels * batch}, 1);
        Tensor expected({channels, batch});
        for (int64_t i = 0; i < expected.count(); ++i) {
          double sum = 0;
          for (int64_t p = 0; p < pixels; ++p) {
            sum += matrix.data()[i / batch * pixels * batch + p * batch + i % batch];
          }
          expected.data()[i] = static_cast<float>(sum / static_cast<double>(pixels));
        }
        EXPECT_LE(testing::relative_error(run(matrix, pixels, batch), expected), 1e-6)
            << channels << " channels, " << pixels << " pixels, " << batch << " images";
      }
    }
  }
}

TEST_P(PanelPool, ThreadsDoNotChangeResults) {
  for (const int64_t batch : {1, 16}) {
    const Tensor matrix = testing::random_tensor({1283, 4 * batch}, 1);
    const auto with_threads = [&](int threads) {
      const ThreadScope scope(threads);
      return run(matrix, 4, batch);
    };
    EXPECT_TRUE(testing::identical(with_threads(3), with_threads(1)));
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(PanelPool);

}  // namespace
}  // namespace edgeprune::panels
