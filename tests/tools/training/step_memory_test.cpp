#include "tools/training/step_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/buffer.h"
#include "models/mobilenet_v2.h"
#include "tests/support/message_of.h"
#include "tests/support/small_run.h"

namespace edgeprune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::SmallRun;

TEST(StepMemory, IsWhatTrainingTakes) {
  SmallRun run;
  const int64_t measured = measure_step_memory(run.model.graph(), run.options.batch);
  const BufferStats before = buffer_stats();
  run.train();
  const BufferStats after = buffer_stats();
  const auto taken = double(after.bytes_in_use + after.bytes_pooled) -
                     double(before.bytes_in_use + before.bytes_pooled);
  EXPECT_NEAR(double(measured), taken, 0.25 * taken) << "Adam and the loader are not in it";
}

TEST(StepMemory, BatchesBeyondItAreRefused) {
  const Graph small = mobilenet_v2(0.25, 32, 10);
  EXPECT_NO_THROW(require_step_memory(small, 2));
  EXPECT_THAT(message_of<std::runtime_error>([&] { require_step_memory(small, 1 << 30); }),
              AllOf(HasSubstr("batches of 1073741824 images of 32x32 take more than"),
                    HasSubstr("try a smaller --batch")));
}

}  // namespace
}  // namespace edgeprune
