#include "data/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/base/random.h"
#include "engine/tensor/safetensors.h"
#include "tests/data/image_files.h"
#include "tests/support/layouts.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

Image random_image(int height, int width) {
  Image image = testing::one_colour(height, width, 0);
  Rng rng(7, static_cast<uint64_t>(height), static_cast<uint64_t>(width));
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(rng.below(256));
  return image;
}

std::vector<float> preprocess(const Image& image, int size, const Normalisation& normalisation) {
  std::vector<float> out(static_cast<size_t>(size) * size * 3, NAN);
  Preprocessor{size, normalisation}(image, out);
  return out;
}

/// The definition, in double: weights of the four neighbours, one output value at a time.
double expected(const Image& image, int size, const Normalisation& normalisation, int y, int x,
                int c) {
  const auto locate = [size](int position, int length, int& low, int& high) {
    const double centre =
        std::max(0.0, (position + 0.5) * length / static_cast<double>(size) - 0.5);
    low = std::min(static_cast<int>(centre), length - 1);
    high = std::min(low + 1, length - 1);
    return centre - low;
  };
  int top, bottom, left, right;
  const double down = locate(y, image.height, top, bottom);
  const double across = locate(x, image.width, left, right);
  const auto at = [&](int row, int column) {
    return image.rgb[3 * (row * image.width + column) + c] / 255.0;
  };
  const double value = (1 - down) * ((1 - across) * at(top, left) + across * at(top, right)) +
                       down * ((1 - across) * at(bottom, left) + across * at(bottom, right));
  return (value - normalisation.mean[c]) / normalisation.std[c];
}

TEST(Preprocess, EqualsPyTorchOnTheGoldenImages) {
  EDGEPRUNE_REQUIRE_SHARED("golden/mobilenet_v2_64.safetensors");
  const Archive golden =
      read_safetensors(testing::shared_path("golden/mobilenet_v2_64.safetensors").string());
  const Array& images = golden.at("images_u8");
  const Tensor input = testing::nchw_to_nhwc(golden.at("input").to_tensor("input"));
  ASSERT_EQ(images.shape, (Shape{12, 32, 32, 3}));
  ASSERT_EQ(input.shape(), (Shape{12, 64, 64, 3}));
  Preprocessor preprocessor(64, imagenet_normalisation());
  std::vector<float> out(64 * 64 * 3);
  double worst = 0;
  for (int i = 0; i < 12; ++i) {
    const auto* pixels = reinterpret_cast<const uint8_t*>(images.bytes.data()) + i * 3072;
    preprocessor({32, 32, {pixels, pixels + 3072}}, out);
    const float* reference = input.data() + i * 64 * 64 * 3;
    for (size_t k = 0; k < out.size(); ++k) {
      worst = std::max(worst, static_cast<double>(std::abs(out[k] - reference[k])));
    }
  }
  EXPECT_LT(worst, 1e-5);
}

TEST(Preprocess, EqualsTheDefinitionForEverySourceSize) {
  const Normalisation normalisation = imagenet_normalisation();
  for (const auto& [height, width] : std::vector<std::pair<int, int>>{
           {32, 32}, {1, 1}, {64, 64}, {7, 50}, {100, 3}, {1, 9}, {129, 200}, {640, 480}}) {
    for (int size : {1, 2, 31, 64}) {
      const Image image = random_image(height, width);
      const std::vector<float> out = preprocess(image, size, normalisation);
      double worst = 0;
      for (int y = 0; y < size; ++y) {
        for (int x = 0; x < size; ++x) {
          for (int c = 0; c < 3; ++c) {
            const double difference =
                out[3 * (y * size + x) + c] - expected(image, size, normalisation, y, x, c);
            worst = std::max(worst, std::abs(difference));
          }
        }
      }
      // PyTorch takes sample positions in float32, as we do: at column 480 they are good to 3e-5 of
      // a pixel.
      const bool small = height <= 64 && width <= 64;
      EXPECT_LT(worst, small ? 2e-5 : 2e-4) << height << "x" << width << " to " << size;
    }
  }
}

TEST(Preprocess, SameSizeOnlyNormalises) {
  const Image image = random_image(64, 64);
  const std::vector<float> out = preprocess(image, 64, {});
  for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], image.rgb[i] / 255.0, 1e-7);
}

TEST(Preprocess, OneObjectServesImagesOfChangingSize) {
  Preprocessor preprocessor(16, imagenet_normalisation());
  std::vector<float> out(16 * 16 * 3);
  for (int size : {32, 8, 32, 40}) {
    preprocessor(random_image(size, size + 1), out);
    EXPECT_EQ(out, preprocess(random_image(size, size + 1), 16, imagenet_normalisation()));
  }
}

TEST(Preprocess, WrongSizesAreRejected) {
  Preprocessor preprocessor(8, {});
  std::vector<float> out(8 * 8 * 3);
  const auto error = [&](const Image& image, std::span<float> slot) {
    return message_of<std::invalid_argument>([&] { preprocessor(image, slot); });
  };
  EXPECT_THAT(error({}, out), HasSubstr("0 x 0"));
  EXPECT_THAT(error({4, 4, std::vector<uint8_t>(47)}, out), HasSubstr("47 bytes, 48 expected"));
  EXPECT_THAT(error({-4, -4, std::vector<uint8_t>(48)}, out), HasSubstr("-4 x -4"));
  EXPECT_THAT(error(random_image(4, 4), std::span(out).first(191)),
              HasSubstr("191 values, 192 expected"));
  EXPECT_THROW(Preprocessor(0, {}), std::invalid_argument);
  EXPECT_THROW(Preprocessor(8, {{0, 0, 0}, {1, 0, 1}}), std::invalid_argument);
  EXPECT_THROW(Preprocessor(8, {{0, 0, 0}, {1, NAN, 1}}), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
