#include "engine/inference/view.h"

#include <gtest/gtest.h>

#include "engine/inference/channels_last_steps.h"
#include "tests/support/message_of.h"

namespace edgeprune::inference {
namespace {

TEST(View, GivesNumbersOfItsTypeAlone) {
  float value = 0.5f;
  const MutableView floats = view_of(&value, Format::panels);
  EXPECT_EQ(floats.floats(), &value);
  EXPECT_THROW(floats.integers(), std::invalid_argument);
  const View bytes{floats.data, Format::bytes};
  EXPECT_EQ(static_cast<const void*>(bytes.integers()), &value);
  EXPECT_THROW(bytes.floats(), std::invalid_argument);
}

TEST(View, AStepOfFloatsRefusesIntegers) {
  Layer pool;
  pool.kind = Layer::Kind::global_average_pool;
  pool.shape = {.in_height = 1, .in_width = 1, .in_channels = 1, .out_channels = 1};
  const std::unique_ptr<Step> step = channels_last_step(pool, 1);
  float input = 3, output = 0;
  Operands maps{view_of(&std::as_const(input)), {}, view_of(&output), nullptr};
  step->run(maps);
  EXPECT_EQ(output, 3);
  maps.input.format = Format::bytes;
  EXPECT_EQ(testing::message_of<std::invalid_argument>([&] { step->run(maps); }),
            "[Step] expected floats, got a map in channels-last uint8");
}

TEST(View, OfNothingHasNoType) {
  EXPECT_EQ(View{}.floats(), nullptr);
  EXPECT_EQ(View{}.integers(), nullptr);
}

TEST(View, NumbersOfBytesAreAQuarterAsLong) {
  EXPECT_EQ(number_bytes(Format::bytes), 1);
  EXPECT_EQ(number_bytes(Format::panels), 4);
  EXPECT_EQ(number_bytes(Format::channels_last), 4);
}

}  // namespace
}  // namespace edgeprune::inference
