#include "tools/station/camera/pixels.h"

#include <gtest/gtest.h>

namespace edgeprune::station {
namespace {

TEST(Pixels, OrderOfColours) {
  const std::vector<uint8_t> two{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(to_rgb(PixelFormat::rgb8, 1, 2, two).rgb, two);
  EXPECT_EQ(to_rgb(PixelFormat::bgr8, 1, 2, two).rgb, (std::vector<uint8_t>{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(to_rgb(PixelFormat::mono8, 1, 2, two).rgb, (std::vector<uint8_t>{1, 1, 1, 2, 2, 2}));
}

/// A scene of one colour, seen through each filter, is that colour everywhere.
TEST(Pixels, BayerOfOneColourIsThatColour) {
  struct Filter {
    PixelFormat format;
    std::vector<int> square;  ///< colours of the 2x2 pixels
  };
  const int colour[3] = {200, 100, 50};
  for (const Filter& filter :
       {Filter{PixelFormat::bayer_rg8, {0, 1, 1, 2}}, Filter{PixelFormat::bayer_gr8, {1, 0, 2, 1}},
        Filter{PixelFormat::bayer_gb8, {1, 2, 0, 1}},
        Filter{PixelFormat::bayer_bg8, {2, 1, 1, 0}}}) {
    const int height = 5, width = 6;
    std::vector<uint8_t> raw;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        raw.push_back(static_cast<uint8_t>(colour[filter.square[size_t(y % 2 * 2 + x % 2)]]));
      }
    }
    const Image image = to_rgb(filter.format, height, width, raw);
    for (size_t i = 0; i < image.rgb.size(); ++i) {
      ASSERT_EQ(image.rgb[i], colour[i % 3])
          << name_of(kPixelFormats, filter.format) << " at " << i;
    }
  }
}

TEST(Pixels, TooFewBytesOrPixelsAreRefused) {
  EXPECT_THROW(to_rgb(PixelFormat::rgb8, 2, 2, std::vector<uint8_t>(11)), std::invalid_argument);
  EXPECT_THROW(to_rgb(PixelFormat::mono8, 0, 2, std::vector<uint8_t>(11)), std::invalid_argument);
  EXPECT_THROW(to_rgb(PixelFormat::bayer_rg8, 1, 8, std::vector<uint8_t>(8)),
               std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune::station
