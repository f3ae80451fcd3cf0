#include "data/image_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/check.h"
#include "tests/data/library_images.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using namespace testing;

const Image kSix{2, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 0, 0, 0, 255, 255, 255}};
/// As EXIF's number 6 turns it: a quarter to the right.
const Image kSixTurned{3, 2, {10, 20, 30, 255, 0, 0, 0, 0, 0, 0, 255, 0, 255, 255, 255, 0, 0, 255}};

/// By name; whatever the libraries at hand, as files must be told apart without them, too.
class LibraryImage : public ::testing::TestWithParam<const char*> {
 protected:
  bool is_built() const { return codec().version != nullptr; }
  const ImageCodec& codec() const {
    const auto& all = image_codecs();
    return *std::ranges::find(all, std::string_view(GetParam()), &ImageCodec::name);
  }
  bool is_webp() const { return codec().name == "WebP"; }

  Image read(std::string_view bytes) {
    write_bytes(path_, bytes);
    return read_image(path_);
  }
  std::string error_of(std::string_view bytes) {
    return message_of<FileError>([&] { read(bytes); });
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("image");
};

TEST_P(LibraryImage, PixelsAreThoseOfPil) {
  if (!is_built()) GTEST_SKIP() << "built without " << codec().library;
  EXPECT_EQ(read(is_webp() ? webp_bytes() : tiff_bytes()), kSix);
  EXPECT_EQ(read(is_webp() ? webp_bytes() : deflated_tiff_bytes()), kSix);
}

TEST_P(LibraryImage, AlphaIsDroppedAndDarkensNothing) {
  if (!is_built()) GTEST_SKIP() << "built without " << codec().library;
  EXPECT_EQ(read(is_webp() ? rgba_webp_bytes() : rgba_tiff_bytes()), kSix);
}

TEST_P(LibraryImage, OrientationIsTurnedUpright) {
  if (!is_built()) GTEST_SKIP() << "built without " << codec().library;
  EXPECT_EQ(read(is_webp() ? turned_webp_bytes() : turned_tiff_bytes()), kSixTurned);
}

TEST_P(LibraryImage, CutOffAnywhereIsOneClearLineOrWhole) {
  if (!is_built()) GTEST_SKIP() << "built without " << codec().library;
  const std::string whole = is_webp() ? webp_bytes() : tiff_bytes();
  for (size_t length = 16; length < whole.size(); ++length) {
    try {
      EXPECT_EQ(read(whole.substr(0, length)), kSix) << length;
    } catch (const FileError& error) {
      const std::string text = error.what();
      EXPECT_THAT(text, HasSubstr(path_)) << length;
      EXPECT_EQ(text.find('\n'), text.npos) << length;
    }
  }
  EXPECT_THAT(error_of(whole.substr(0, whole.size() * 3 / 4)), HasSubstr("truncated"));
}

TEST_P(LibraryImage, WithoutTheLibraryItIsNamed) {
  const auto& extensions = image_extensions();
  for (const std::string_view extension : codec().extensions) {
    EXPECT_EQ(std::ranges::count(extensions, extension), is_built() ? 1 : 0);
  }
  EXPECT_EQ(image_formats().find(codec().name) != std::string::npos, is_built());
  if (is_built()) return;
  EXPECT_THAT(error_of(is_webp() ? webp_bytes() : tiff_bytes()),
              HasSubstr("it was built without " + std::string(codec().library)));
}

INSTANTIATE_TEST_SUITE_P(Formats, LibraryImage, ::testing::Values("WebP", "TIFF"),
                         [](const auto& each) { return std::string(each.param); });

class WebpImage : public LibraryImage {};
INSTANTIATE_TEST_SUITE_P(Formats, WebpImage, ::testing::Values("WebP"));

TEST_P(WebpImage, LossyPixelsAreThoseOfPilToTheBit) {
  if (!is_built()) GTEST_SKIP() << "built without libwebp";
  const Image image = read(lossy_webp_bytes());
  ASSERT_EQ(image.rgb.size(), 8u * 16 * 3);
  const std::vector<uint8_t> around_the_edge{199, 40, 39, 167, 47, 87, 73, 32, 153, 41, 40, 199};
  const auto fourth_row = image.rgb.begin() + 3 * (3 * 16 + 6);
  EXPECT_EQ(std::vector<uint8_t>(fourth_row, fourth_row + 12), around_the_edge);
}

TEST_P(WebpImage, AnimationIsRefused) {
  if (!is_built()) GTEST_SKIP() << "built without libwebp";
  EXPECT_THAT(error_of(animated_webp_bytes()), HasSubstr("animated WebP"));
}

class TiffImage : public LibraryImage {};
INSTANTIATE_TEST_SUITE_P(Formats, TiffImage, ::testing::Values("TIFF"));

TEST_P(TiffImage, SixteenBitsBecomeEight) {
  if (!is_built()) GTEST_SKIP() << "built without libtiff";
  EXPECT_EQ(read(grey16_tiff_bytes()), (Image{1, 2, {0, 0, 0, 200, 200, 200}}));
}

TEST_P(TiffImage, JpegInsideIsRead) {
  if (!is_built()) GTEST_SKIP() << "built without libtiff";
  const Image image = read(jpeg_tiff_bytes());
  ASSERT_EQ(image.rgb.size(), kSix.rgb.size());
  for (size_t i = 0; i < image.rgb.size(); ++i) EXPECT_NEAR(image.rgb[i], kSix.rgb[i], 15) << i;
}

/// 2x1 of 4 bits, the colours 1 and 5; `colours` entries, red, green and blue each in a list.
std::string palette_tiff(uint32_t colours) {
  const auto entry = [](uint32_t tag, uint32_t type, uint32_t count, uint32_t value) {
    return little_endian(tag, 2) + little_endian(type, 2) + little_endian(count, 4) +
           little_endian(value, 4);
  };
  const uint32_t directory = 9, entries = 8, list = directory + 2 + 12 * entries + 4;
  std::string map;
  for (const uint32_t channel : {0u, 50u, 100u}) {
    for (uint32_t i = 0; i < colours; ++i) map += little_endian((channel + i) << 8, 2);
  }
  return "II*" + std::string(1, '\0') + little_endian(directory, 4) + "\x15" +
         little_endian(entries, 2) + entry(256, 4, 1, 2) + entry(257, 4, 1, 1) +
         entry(258, 3, 1, 4) + entry(259, 3, 1, 1) + entry(262, 3, 1, 3) + entry(273, 4, 1, 8) +
         entry(279, 4, 1, 1) + entry(320, 3, 3 * colours, list) + little_endian(0, 4) + map;
}

TEST_P(TiffImage, APaletteHasAllColoursThatPixelsCanName) {
  if (!is_built()) GTEST_SKIP() << "built without libtiff";
  EXPECT_EQ(read(palette_tiff(16)), (Image{1, 2, {1, 51, 101, 5, 55, 105}}));
  for (const uint32_t colours : {1u, 5u, 15u}) {
    EXPECT_THAT(error_of(palette_tiff(colours)), HasSubstr("Colormap"));
  }
}

TEST_P(TiffImage, KindsThatAreNotReadAreSaid) {
  if (!is_built()) GTEST_SKIP() << "built without libtiff";
  EXPECT_THAT(error_of(float_tiff_bytes()), HasSubstr("of a kind that is not read"));
  EXPECT_THAT(error_of(fax_tiff_bytes()), HasSubstr("compressed by scheme 4"));
}

TEST_P(TiffImage, SizesAreCheckedBeforeMemoryIsAskedFor) {
  if (!is_built()) GTEST_SKIP() << "built without libtiff";
  std::string bytes = turned_tiff_bytes();  // little-endian, uncompressed
  const auto set = [&](int tag, uint32_t value) {
    const size_t at =
        bytes.find(little_endian(static_cast<uint32_t>(tag), 2) + little_endian(4, 2));
    ASSERT_NE(at, bytes.npos);
    bytes.replace(at + 8, 4, little_endian(value, 4));
  };
  set(256, 16384);
  set(257, 16384);
  EXPECT_THAT(error_of(bytes), HasSubstr("at most 2^26 are read"));
  set(256, 16385);
  EXPECT_THAT(error_of(bytes), HasSubstr("at most 16384 a side"));
  set(256, 4096);
  set(257, 4096);
  EXPECT_THAT(error_of(bytes), HasSubstr("truncated image: 4096 x 4096 pixels"));
}

}  // namespace
}  // namespace edgeprune
