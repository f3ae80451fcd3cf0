#include "tools/station/camera/folder_camera.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;
using edgeprune::testing::message_of;
using ::testing::HasSubstr;

/// A bitmap of one pixel: its blue, green and red.
std::string bitmap(char value) {
  std::string file("BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0\1\0\x18\0", 30);
  file.resize(54);
  return file + std::string(3, value) + '\0';
}

TEST(FolderCamera, PlaysItsImagesInOrderAndAgain) {
  const edgeprune::testing::TemporaryFolder temporary;
  const std::string folder = temporary.path();
  std::filesystem::create_directories(folder + "/more");
  write_file_atomically(folder + "/b.bmp", bitmap(2));
  write_file_atomically(folder + "/a.bmp", bitmap(1));
  write_file_atomically(folder + "/more/c.bmp", "BM, but no image");
  write_file_atomically(folder + "/notes.txt", "not an image");
  const auto camera = open_folder_camera(folder);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 2; ++i) {
      const auto frame = camera->take(Clock::now() + 10s);
      ASSERT_TRUE(frame);
      EXPECT_EQ(frame->image.rgb, std::vector<uint8_t>(3, static_cast<uint8_t>(i + 1)));
      EXPECT_EQ(frame->number, static_cast<uint64_t>(3 * round + i));
    }
    EXPECT_FALSE(camera->take(Clock::now() + 10s)) << "an image that is none";
  }
  EXPECT_EQ(camera->counts().frames, 4u);
  EXPECT_EQ(camera->counts().incomplete, 2u);
  EXPECT_FALSE(camera->take(Clock::now() - 1s)) << "too late for its item";
}

TEST(FolderCamera, WithoutImagesThereIsNoCamera) {
  const edgeprune::testing::TemporaryFolder temporary;
  const std::string folder = temporary.path();
  EXPECT_THAT(message_of<FileError>([&] { open_folder_camera(folder); }), HasSubstr("no images"));
  EXPECT_THAT(message_of<FileError>([&] { open_folder_camera(folder + "/none"); }),
              HasSubstr("there is no such folder or list of images"));
}

}  // namespace
}  // namespace edgeprune::station
