#include "data/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/data/image_files.h"

namespace edgeprune {
namespace {

/// Pixel (y, x) is {1 + y, 1 + x, 200}; nothing is black.
Image coordinates(int height, int width) {
  Image image{height, width, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.push_back(static_cast<uint8_t>(1 + y));
      image.rgb.push_back(static_cast<uint8_t>(1 + x));
      image.rgb.push_back(200);
    }
  }
  return image;
}

const uint8_t* pixel(const Image& image, int y, int x) {
  return &image.rgb[3 * (y * image.width + x)];
}

/// True if `result` is `image` moved by (down, right), black where nothing came from.
bool is_moved(const Image& image, const Image& result, int down, int right) {
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const int from_y = y + down, from_x = x + right;
      const bool inside =
          from_y >= 0 && from_y < image.height && from_x >= 0 && from_x < image.width;
      for (int c = 0; c < 3; ++c) {
        if (pixel(result, y, x)[c] != (inside ? pixel(image, from_y, from_x)[c] : 0)) return false;
      }
    }
  }
  return true;
}

TEST(Augment, FlipMirrorsHalfOfTheImages) {
  for (int width : {1, 4, 5}) {
    const Image image = coordinates(3, width);
    Image mirrored = image;
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < width; ++x) {
        mirrored.rgb[3 * (y * width + x) + 1] = static_cast<uint8_t>(width - x);
      }
    }
    int flips = 0;
    for (uint64_t i = 0; i < 1000; ++i) {
      Rng rng(1, i);
      const Image result = augment(image, {true, 0}, rng);
      ASSERT_TRUE(result == image || result == mirrored);
      flips += result == mirrored ? 1 : 0;
    }
    EXPECT_NEAR(flips, width > 1 ? 500 : 1000, width > 1 ? 80 : 0);
  }
}

TEST(Augment, NothingIsChangedWhenAllIsOff) {
  const Image image = coordinates(4, 6);
  Rng rng(1);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(augment(image, {false, 0}, rng), image);
}

TEST(Augment, CropMovesTheImageByEveryOffsetUpToThePaddingAndFillsWithBlack) {
  const Image image = coordinates(5, 4);
  Rng rng(2);
  std::set<std::pair<int, int>> seen;
  for (int i = 0; i < 1000; ++i) {
    const Image result = augment(image, {false, 2}, rng);
    ASSERT_EQ(result.rgb.size(), image.rgb.size());
    int matches = 0;
    for (int down = -2; down <= 2; ++down) {
      for (int right = -2; right <= 2; ++right) {
        if (!is_moved(image, result, down, right)) continue;
        seen.insert({down, right});
        ++matches;
      }
    }
    ASSERT_EQ(matches, 1);
  }
  EXPECT_EQ(seen.size(), 25u);
}

TEST(Augment, PaddingBeyondTheImageMayLeaveItBlack) {
  Rng rng(3);
  const Image black = testing::one_colour(3, 3, 0);
  int all_black = 0;
  for (int i = 0; i < 200; ++i) {
    all_black += augment(coordinates(3, 3), {true, 9}, rng) == black ? 1 : 0;
  }
  EXPECT_GT(all_black, 50);
}

TEST(Augment, ImpossiblePaddingIsRejected) {
  Rng rng(1);
  EXPECT_THROW(augment(coordinates(2, 2), {true, -1}, rng), std::invalid_argument);
  EXPECT_THROW(augment(coordinates(2, 2), {true, 1 << 30}, rng), std::invalid_argument);
}

TEST(Augment, RotationTurnsAboutTheMiddle) {
  Image image = coordinates(9, 9);
  const Augmentation turn{.flip = false, .rotation = 180};
  std::set<std::vector<uint8_t>> seen;
  for (uint64_t i = 0; i < 20; ++i) {
    Rng rng(1, 2, i);
    const Image result = augment(image, turn, rng);
    EXPECT_EQ(pixel(result, 4, 4)[0], 5) << "the middle stays";
    EXPECT_EQ(pixel(result, 4, 4)[1], 5);
    // Distances stay: a pixel three to the right of the middle came from three away from it.
    const double down = pixel(result, 4, 7)[0] - 5.0, right = pixel(result, 4, 7)[1] - 5.0;
    EXPECT_NEAR(std::hypot(down, right), 3, 0.75) << down << " " << right;
    seen.insert(result.rgb);
  }
  EXPECT_EQ(seen.size(), 20u);
}

TEST(Augment, ColourChangesBrightnessContrastAndSaturationOnly) {
  const Image grey{2, 2, std::vector<uint8_t>(12, 100)};
  const Augmentation colour{.flip = false, .colour = 0.5f};
  std::set<int> values;
  for (uint64_t i = 0; i < 200; ++i) {
    Rng rng(1, 2, i);
    const Image result = augment(grey, colour, rng);
    for (const uint8_t value : result.rgb) EXPECT_EQ(value, result.rgb[0]) << "grey stays grey";
    values.insert(result.rgb[0]);
  }
  EXPECT_GE(*values.begin(), 50);
  EXPECT_LE(*values.rbegin(), 150);
  EXPECT_LT(*values.begin(), 60);
  EXPECT_GT(*values.rbegin(), 140);
}

TEST(Augment, WithoutRotationAndColourNothingElseIsDrawn) {
  Rng a(1, 2, 3), b(1, 2, 3);
  augment(coordinates(4, 4), Augmentation{true, 2}, a);
  b.below(2);
  b.below(5);
  b.below(5);
  EXPECT_EQ(a.below(1u << 30), b.below(1u << 30));
}

TEST(Augment, RotationAndColourOutOfRangeAreRejected) {
  Rng rng(1);
  for (const Augmentation& wrong : {Augmentation{.rotation = -1}, Augmentation{.rotation = 181},
                                    Augmentation{.colour = -0.1f}, Augmentation{.colour = 1.1f}}) {
    EXPECT_THROW(augment(coordinates(2, 2), wrong, rng), std::invalid_argument);
  }
}

}  // namespace
}  // namespace edgeprune
