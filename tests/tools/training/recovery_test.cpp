#include "tools/training/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

TEST(Distillation, IsParsedAsTemperatureAndAlpha) {
  const Distillation parsed = parse_distillation("2.5,0.75");
  EXPECT_EQ(parsed.temperature, 2.5f);
  EXPECT_EQ(parsed.alpha, 0.75f);
  EXPECT_EQ(to_string(parsed), "2.5,0.75");
  EXPECT_EQ(parse_distillation("4,0").alpha, 0.0f);
  EXPECT_EQ(parse_distillation("4,1").alpha, 1.0f);
}

TEST(Distillation, AnythingElseIsRefusedWithWhatCame) {
  for (const std::string text :
       {"", "4", "4,", ",0.5", "4,0.5,1", "4 0.5", "4,x", "4x,0.5", "0,0.5", "-1,0.5", "inf,0.5",
        "nan,0.5", "4,1.5", "4,-0.1", "4,nan"}) {
    EXPECT_THAT(message_of<std::invalid_argument>([&] { parse_distillation(text); }),
                HasSubstr("as 4,0.5; got '" + text + "'"))
        << text;
  }
}

TEST(Recovery, IsWrittenAsItsFlags) {
  Recovery recovery;
  EXPECT_EQ(recovery.to_string(), "");
  recovery.rewind = true;
  EXPECT_EQ(recovery.to_string(), "rewind");
  recovery.bn_recalibrate = 1000;
  recovery.distillation = Distillation{};
  EXPECT_EQ(recovery.to_string(), "bn-recalibrate 1000, rewind, distill 4,0.5");
}

}  // namespace
}  // namespace edgeprune
