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

TEST(Recovery, WhatIsWrittenIsParsed) {
  for (const std::string text : {"", "rewind", "bn-recalibrate 1000", "distill 4,0.5",
                                 "bn-recalibrate 20, rewind, distill 2,0.9"}) {
    EXPECT_EQ(parse_recovery(text).to_string(), text);
  }
  EXPECT_EQ(parse_recovery("rewind, bn-recalibrate 5").bn_recalibrate, 5) << "in any order";
}

TEST(Recovery, AnUnknownPartIsNamed) {
  for (const std::string part : {"rewinding", "bn-recalibrate", "distil 4,0.5", ""}) {
    EXPECT_THAT(message_of<std::invalid_argument>([&] { parse_recovery("rewind, " + part); }),
                HasSubstr("joined by ', '; got '" + part + "'"));
  }
  for (const std::string part : {"bn-recalibrate 0", "bn-recalibrate -3", "bn-recalibrate 1e3",
                                 "bn-recalibrate 10 images"}) {
    EXPECT_THAT(message_of<std::invalid_argument>([&] { parse_recovery(part); }),
                HasSubstr("expected a number of images, got '" + part + "'"));
  }
}

}  // namespace
}  // namespace edgeprune
