#include "tools/station/camera/gige_camera.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/base/check.h"
#include "tools/station/camera/fake_camera.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

constexpr int kSide = 64;

/// Images that are told apart by any of their pixels.
std::vector<Image> plain_images(int count) {
  std::vector<Image> images;
  for (int i = 0; i < count; ++i) {
    images.push_back(
        {kSide, kSide,
         std::vector<uint8_t>(size_t{3} * kSide * kSide, static_cast<uint8_t>(10 + i))});
  }
  return images;
}

/// Each test has an address of its own on loopback: a camera's port is fixed.
GigeOptions camera_at(const std::string& address) {
  return {address, PixelFormat::rgb8, kSide, kSide, 100.0};
}

TEST(GigeCamera, EachTriggerGetsItsOwnImage) {
  FakeCamera fake("127.0.0.1", "T1", plain_images(200));
  const auto camera = open_gige_camera(camera_at("127.0.0.1"), 10s);
  for (int i = 0; i < 50; ++i) {
    const Instant before = Clock::now();
    const auto frame = camera->take(before + 500ms);
    ASSERT_TRUE(frame) << i;
    EXPECT_EQ(frame->image.height, kSide);
    EXPECT_EQ(frame->image.width, kSide);
    EXPECT_EQ(frame->image.rgb.front(), 10 + i);
    EXPECT_EQ(frame->image.rgb.back(), 10 + i);
    EXPECT_GE(frame->captured, before);
  }
  EXPECT_EQ(camera->counts().frames, 50u);
  EXPECT_EQ(camera->counts().lost, 0u);
}

}  // namespace
}  // namespace edgeprune::station
