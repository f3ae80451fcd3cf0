#include "data/resize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/data/image_files.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

/// 13 x 9 pixels that PIL was given, too: the expected numbers are those of Pillow 9.4 and
/// torchvision 0.14.
Image thirteen_by_nine() {
  Image image{9, 13, {}};
  for (int y = 0; y < 9; ++y) {
    for (int x = 0; x < 13; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.rgb.push_back(static_cast<uint8_t>((37 * y + 11 * x * x + 85 * c) % 256));
      }
    }
  }
  return image;
}

/// The red of each pixel.
std::vector<int> reds(const Image& image) {
  std::vector<int> values;
  for (size_t i = 0; i < image.rgb.size(); i += 3) values.push_back(image.rgb[i]);
  return values;
}

TEST(ResizeImage, GivesWhatPilsBilinearFilterGives) {
  EXPECT_EQ(reds(resize(thirteen_by_nine(), 3, 4)),  // Image.resize((4, 3), BILINEAR)
            (std::vector<int>{81, 135, 130, 116, 156, 139, 124, 148, 92, 124, 134, 85}));
  const std::vector<int> up = reds(resize(thirteen_by_nine(), 3, 15));
  EXPECT_EQ(std::vector<int>(up.begin(), up.begin() + 15),
            (std::vector<int>{46, 55, 79, 119, 163, 157, 81, 186, 88, 124, 159, 147, 114, 96, 94}));
}

TEST(FitImage, SquashesAsPilDoes) {
  EXPECT_EQ(reds(fit(thirteen_by_nine(), Resize::squash, 5)),
            (std::vector<int>{42,  119, 114, 135, 82,  100, 152, 148, 134, 140, 165, 148, 125,
                              113, 182, 147, 111, 150, 114, 78,  53,  120, 121, 141, 80}));
}

TEST(FitImage, PadsAsPilsImageOpsDo) {
  EXPECT_EQ(reds(fit(thirteen_by_nine(), Resize::pad, 5)),
            (std::vector<int>{0,   0,   0,  0,   0,   67,  135, 129, 136, 107, 157, 143, 137,
                              116, 158, 89, 115, 132, 128, 77,  0,   0,   0,   0,   0}));
}

TEST(FitImage, CropsAsTorchvisionsResizeAndCenterCropDo) {
  EXPECT_EQ(reds(fit(thirteen_by_nine(), Resize::crop, 5)),
            (std::vector<int>{83,  135, 105, 141, 112, 138, 153, 163, 104, 163, 180, 122, 130,
                              108, 137, 95,  136, 145, 151, 67,  84,  138, 112, 153, 111}));
  const std::vector<int> up = reds(fit(thirteen_by_nine(), Resize::crop, 12));  // enlarged
  EXPECT_EQ(std::vector<int>(up.begin(), up.begin() + 12),
            (std::vector<int>{25, 54, 96, 153, 102, 47, 140, 54, 114, 172, 120, 84}));
}

TEST(FitImage, AScratchOfFivePixelsOnALargePhotographStays) {
  Image photo = testing::one_colour(768, 1024, 128);
  for (int y = 0; y < 768; ++y) {
    std::fill_n(photo.rgb.begin() + 3 * (1024 * y + 500), 15, uint8_t{255});
  }
  const std::vector<int> row = reds(fit(photo, Resize::squash, 64));
  EXPECT_EQ(std::vector<int>(row.begin() + 28, row.begin() + 34),
            (std::vector<int>{128, 128, 132, 163, 128, 128}));
  const Image plain = fit(photo, Resize::plain, 64);
  EXPECT_EQ(plain, photo);
}

TEST(FitImage, SidesThatAreNotLongerStayForThePreprocessor) {
  const Image small = testing::one_colour(32, 32, 9);
  for (const Resize how : values_in(kResizes)) EXPECT_EQ(fit(small, how, 64), small);
  const Image wide = fit(testing::one_colour(20, 100, 9), Resize::squash, 64);
  EXPECT_EQ(wide, testing::one_colour(20, 64, 9));
}

TEST(FitImage, OneColourStaysAtAnySize) {
  for (const auto& [height, width] : {std::pair{500, 3}, {64, 65}, {1, 700}, {301, 299}}) {
    const Image image = testing::one_colour(height, width, 201);
    for (const int size : {1, 7, 64}) {
      EXPECT_EQ(fit(image, Resize::crop, size), testing::one_colour(size, size, 201))
          << height << "x" << width << " to " << size;
      const Image padded = fit(image, Resize::pad, size);
      EXPECT_EQ(padded.rgb.size(), size_t{3} * size * size);
      EXPECT_TRUE(std::ranges::all_of(padded.rgb, [](uint8_t v) { return v == 0 || v == 201; }));
      EXPECT_TRUE(std::ranges::count(padded.rgb, 201) > 0);
    }
  }
}

TEST(FitImage, TheCropOfALongStripTakesNoMoreThanItsMiddle) {
  Image strip = testing::one_colour(2, 16000, 50);
  const Image middle = fit(strip, Resize::crop, 64);
  EXPECT_EQ(middle, testing::one_colour(64, 64, 50));
}

TEST(FitImage, TurnedPixelsAreFitAsTheirCopy) {
  const Image image = thirteen_by_nine();
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Pixels turned = Pixels(image).upright(orientation);
    EXPECT_EQ(fit(turned, Resize::squash, 4), fit(turned.copy(), Resize::squash, 4)) << orientation;
    EXPECT_EQ(fit(turned, Resize::crop, 4), fit(turned.copy(), Resize::crop, 4)) << orientation;
  }
}

TEST(FitImage, ImpossibleSizesAreRejected) {
  const Image image = testing::one_colour(2, 2, 0);
  EXPECT_THAT(message_of<std::invalid_argument>([&] { fit(image, Resize::squash, 0); }),
              HasSubstr("got 0"));
  EXPECT_THAT(message_of<std::invalid_argument>([&] { resize(image, 4, 0); }),
              HasSubstr("2 x 2 to 0 x 4"));
  EXPECT_THROW(resize(Image{}, 4, 4), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
