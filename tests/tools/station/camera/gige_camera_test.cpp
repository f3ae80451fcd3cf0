#include "tools/station/camera/gige_camera.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "engine/base/check.h"
#include "tests/support/message_of.h"
#include "tools/station/camera/fake_camera.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;
using edgeprune::testing::message_of;
using ::testing::HasSubstr;

constexpr int kSide = 64;

/// Images that are told apart by any of their pixels.
std::vector<Image> plain_images(int count) {
  std::vector<Image> images;
  for (int i = 0; i < count; ++i) {
    images.push_back(
        {kSide, kSide, std::vector<uint8_t>(size_t{3} * kSide * kSide, static_cast<uint8_t>(i))});
  }
  return images;
}

/// A camera's port is fixed, so that there is one camera a machine: waits for another's end.
std::unique_ptr<FakeCamera> fake_camera(int images = 250) {
  for (const Instant until = Clock::now() + 60s;;) {
    try {
      return std::make_unique<FakeCamera>("127.0.0.1", "T1", plain_images(images));
    } catch (const FileError&) {
      if (Clock::now() > until) throw;
      std::this_thread::sleep_for(200ms);
    }
  }
}

GigeOptions camera_here(PixelFormat format = PixelFormat::rgb8) {
  return {"127.0.0.1", format, kSide, kSide, 100.0};
}

bool is_whole(const Image& image, int value) {
  const auto same = [&](uint8_t byte) { return byte == value; };
  return image.height == kSide && image.width == kSide &&
         image.rgb.size() == size_t{3} * kSide * kSide &&
         std::all_of(image.rgb.begin(), image.rgb.end(), same);
}

TEST(GigeCamera, EachTriggerGetsItsOwnWholeImage) {
  const auto fake = fake_camera();
  for (const auto format : {PixelFormat::rgb8, PixelFormat::mono8}) {
    const auto camera = open_gige_camera(camera_here(format), 10s);
    const auto first = static_cast<int>(fake->sent());
    for (int i = 0; i < 40; ++i) {
      const Instant before = Clock::now();
      const auto frame = camera->take(before + 2s);
      ASSERT_TRUE(frame) << i;
      EXPECT_TRUE(is_whole(frame->image, first + i))
          << i << ": " << int(frame->image.rgb.front()) << " to " << int(frame->image.rgb.back())
          << ", first " << first;
      EXPECT_GE(frame->captured, before);
    }
    EXPECT_EQ(camera->counts().frames, 40u);
    EXPECT_EQ(camera->counts().lost, 0u);
  }
}

TEST(GigeCamera, OfLostPacketsComeNoImagesAndNeverAnEarlierOne) {
  const auto fake = fake_camera();
  const auto camera = open_gige_camera(camera_here(), 10s);
  fake->lose_packets(30);  // of an image's twelve packets one is lost in three of ten images
  int whole = 0, none = 0;
  for (int i = 0; i < 40; ++i) {
    const auto before = static_cast<int>(fake->sent());
    const auto frame = camera->take(Clock::now() + 200ms);
    if (frame) {
      // Not of a trigger before: an earlier one's may come so late that `before` does not count it.
      EXPECT_GE(frame->image.rgb.front(), before) << i;
      EXPECT_TRUE(is_whole(frame->image, static_cast<int>(fake->sent()) - 1))
          << i << ": " << int(frame->image.rgb.front()) << " to " << int(frame->image.rgb.back())
          << ", sent " << fake->sent();
      ++whole;
    } else {
      ++none;
      // Whatever this trigger still sends must not be taken for the next one's.
      std::this_thread::sleep_for(20ms);
    }
  }
  EXPECT_GT(none, 0);
  EXPECT_GT(whole, 3);
  fake->lose_packets(0);
  const auto before = static_cast<int>(fake->sent());
  const auto frame = camera->take(Clock::now() + 2s);
  ASSERT_TRUE(frame);
  EXPECT_TRUE(is_whole(frame->image, before));
}

TEST(GigeCamera, IsFoundAgainWithinThreeSeconds) {
  auto fake = fake_camera();
  const auto camera = open_gige_camera(camera_here(), 10s);
  ASSERT_TRUE(camera->take(Clock::now() + 2s));
  fake.reset();  // it answers no more, as if its cable were cut
  const Instant cut = Clock::now();
  EXPECT_FALSE(camera->take(cut + 50ms));
  EXPECT_LT(Clock::now() - cut, 100ms) << "waits for its deadline and no longer";
  std::this_thread::sleep_until(cut + 4s);  // for as long as Aravis needs to give it up
  fake = fake_camera();
  const Instant back = Clock::now();
  std::optional<Frame> frame;
  while (!frame && Clock::now() < back + 10s) frame = camera->take(Clock::now() + 100ms);
  ASSERT_TRUE(frame);
  EXPECT_LT(Clock::now() - back, 3s);
  EXPECT_GE(camera->counts().reconnects, 1u);
}

TEST(GigeCamera, WhatIsNotThereIsRefusedInOneLine) {
  const auto refusal = [](const GigeOptions& options) {
    return message_of<FileError>([&] { open_gige_camera(options, 2s); });
  };
  EXPECT_THAT(refusal({"Nobody-Camera-7", PixelFormat::rgb8, 0, 0, {}}),
              HasSubstr("camera Nobody-Camera-7"));
  const auto fake = fake_camera();
  EXPECT_THAT(refusal(camera_here(PixelFormat::bgr8)), HasSubstr("no pixel format BGR8"));
}

}  // namespace
}  // namespace edgeprune::station
