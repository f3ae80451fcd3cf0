#include "tools/station/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "tests/support/message_of.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;
using edgeprune::testing::message_of;
using ::testing::HasSubstr;

/// A configuration of what every one needs, and `more`.
std::string config_with(const std::string& more) {
  return R"({"model": "m.safetensors", "policy": "p.json", "camera": {"folder": "images"})" + more +
         "}";
}

StationConfig parse(const std::string& text) {
  return parse_config(text, "station.json", "/etc/line");
}

TEST(StationConfig, NamesAreRelativeToItsFolder) {
  const StationConfig config = parse(config_with(R"(, "deadline_ms": 80)"));
  EXPECT_EQ(config.first.model, "/etc/line/m.safetensors");
  EXPECT_EQ(config.first.policy, "/etc/line/p.json");
  EXPECT_EQ(config.camera.folder, "/etc/line/images");
  EXPECT_EQ(config.deadline, 80ms);
  EXPECT_FALSE(config.second);
  EXPECT_EQ(config.plc.port, 502);
}

TEST(StationConfig, TheDeadlineIsDistanceOverSpeedLessTheActuatorsTime) {
  const StationConfig config = parse(
      config_with(R"(, "belt": {"distance_mm": 400, "speed_mm_per_s": 2000, "actuator_ms": 30})"));
  EXPECT_EQ(config.deadline, 170ms);
}

TEST(StationConfig, ACameraOfGigEVision) {
  const StationConfig config = parse(
      R"({"model": "/m", "policy": "/p", "deadline_ms": 5.5, "camera": {"gige": "10.0.0.7", "pixel_format": "BayerRG8", "width": 640, "height": 480, "exposure_us": 250}})");
  ASSERT_TRUE(config.camera.gige);
  EXPECT_EQ(config.camera.gige->name, "10.0.0.7");
  EXPECT_EQ(config.camera.gige->format, PixelFormat::bayer_rg8);
  EXPECT_EQ(config.camera.gige->width, 640);
  EXPECT_EQ(config.camera.gige->exposure_us, 250);
  EXPECT_EQ(config.first.model, "/m");
  EXPECT_EQ(config.deadline, 5500us);
}

TEST(StationConfig, WhatIsNotUnderstoodIsRefusedInOneLine) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {config_with(""), "deadline_ms: expected either deadline_ms or belt"},
      {config_with(R"(, "deadline_ms": 80, "belt": {})"), "expected either deadline_ms or belt"},
      {config_with(R"(, "deadline_ms": 0)"), "deadline_ms"},
      {config_with(R"(, "deadline_ms": 80, "speed": 3)"), "speed: unknown key"},
      {config_with(R"(, "deadline_ms": 80, "plc": {"prot": 502})"), "plc.prot: unknown key"},
      {config_with(R"(, "deadline_ms": 80, "plc": {"port": 70000})"), "plc.port"},
      {config_with(R"(, "deadline_ms": 80, "engine": "fast")"), "engine"},
      {config_with(R"(, "belt": {"distance_mm": 10, "speed_mm_per_s": 1000, "actuator_ms": 12})"),
       "belt.distance_mm: an item is at the diverter after 10 ms, and the actuator takes 12"},
      {config_with(R"(, "belt": {"distance_mm": 10})"), "belt.speed_mm_per_s"},
      {R"({"policy": "p", "camera": {"folder": "i"}, "deadline_ms": 80})", "model"},
      {config_with(R"(, "deadline_ms": 80, "bundle": "b")"),
       "model: expected either model and policy, or bundle"},
      {R"({"bundle": "b", "root_key": "k", "camera": {"folder": "i"}, "deadline_ms": 80})",
       "product"},
      {R"({"bundle": "b", "root_key": "k", "product": "p", "policy": "p", "camera": {"folder": "i"}, "deadline_ms": 80})",
       "policy: unknown key"},
      {R"({"model": "m", "policy": "p", "deadline_ms": 80})", "camera"},
      {R"({"model": "m", "policy": "p", "deadline_ms": 80, "camera": {"folder": "i", "gige": "x"}})",
       "camera.folder: expected either"},
      {R"({"model": "m", "policy": "p", "deadline_ms": 80, "camera": {"gige": "x", "pixel_format": "YUV"}})",
       "camera.pixel_format"}};
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(message_of<FileError>([&] { parse(text); }), HasSubstr(message)) << text;
    EXPECT_EQ(message_of<FileError>([&] { parse(text); }).find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace edgeprune::station
