#include "data/palette.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/image.h"
#include "engine/base/check.h"
#include "engine/base/random.h"
#include "tests/data/image_files.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using testing::from_hex;
using ::testing::HasSubstr;
using testing::little_endian;
using testing::message_of;
using testing::png_chunk;
using testing::png_of;
using testing::stored;
using testing::write_bytes;

/// Colour i is (3 i, 3 i + 1, 3 i + 2), all modulo 256.
uint8_t channel(size_t colour, size_t c) {
  return static_cast<uint8_t>(3 * colour + c);
}

std::string png_palette(size_t colours) {
  std::string bytes;
  for (size_t i = 0; i < 3 * colours; ++i) bytes.push_back(static_cast<char>(channel(0, i)));
  return png_chunk("PLTE", bytes);
}

/// One row, of 8 pixels at most; `used`: the header's count of colours, 0 mostly.
std::string palette_bmp(const std::string& row, uint32_t width, uint32_t bits, size_t colours,
                        uint32_t header = 40, uint32_t used = 0) {
  std::string palette;
  for (size_t i = 0; i < colours; ++i) {
    for (const size_t c : {2, 1, 0}) palette.push_back(static_cast<char>(channel(i, c)));
    if (header != 12) palette.push_back('\0');
  }
  const std::string pixels = row + std::string((4 - row.size() % 4) % 4, '\0');
  const auto begin = static_cast<uint32_t>(14 + header + palette.size());
  std::string bytes = "BM" + little_endian(begin + static_cast<uint32_t>(pixels.size()), 4) +
                      little_endian(0, 4) + little_endian(begin, 4) + little_endian(header, 4);
  if (header == 12) {
    bytes += little_endian(width, 2) + little_endian(1, 2) + little_endian(1, 2) +
             little_endian(bits, 2);
  } else {
    bytes += little_endian(width, 4) + little_endian(1, 4) + little_endian(1, 2) +
             little_endian(bits, 2) + std::string(16, '\0') + little_endian(used, 4);
    bytes += std::string(14 + header - bytes.size(), '\0');
  }
  return bytes + palette + pixels;
}

class PaletteImage : public ::testing::Test {
 protected:
  /// The colours that the pixels of one row have; -1 for what is no colour of the palette.
  std::vector<int> colours_of(std::string_view bytes) {
    write_bytes(path_, bytes);
    const Image image = read_image(path_);
    std::vector<int> colours;
    for (size_t i = 0; i < image.rgb.size(); i += 3) {
      int found = -1;
      for (int colour = 0; colour < 256; ++colour) {
        const bool same = image.rgb[i] == channel(size_t(colour), 0) &&
                          image.rgb[i + 1] == channel(size_t(colour), 1) &&
                          image.rgb[i + 2] == channel(size_t(colour), 2);
        if (same) found = colour;
      }
      colours.push_back(found);
    }
    return colours;
  }

  std::string error_of(std::string_view bytes) {
    return message_of<FileError>([&] { colours_of(bytes); });
  }

  testing::TemporaryFolder folder_;
  std::string path_ = folder_.file("image");
};

using Colours = std::vector<int>;

TEST_F(PaletteImage, PngPixelsHaveThePalettesColours) {
  EXPECT_EQ(colours_of(png_of(4, 1, 8, 3, stored(from_hex("000001fe05")), png_palette(255))),
            (Colours{0, 1, 254, 5}));
  EXPECT_EQ(colours_of(png_of(2, 1, 4, 3, stored(from_hex("00f3")), png_palette(16))),
            (Colours{15, 3}));
  EXPECT_EQ(colours_of(png_of(4, 1, 2, 3, stored(from_hex("001b")), png_palette(4))),
            (Colours{0, 1, 2, 3}));
  EXPECT_EQ(colours_of(png_of(8, 1, 1, 3, stored(from_hex("00a1")), png_palette(2))),
            (Colours{1, 0, 1, 0, 0, 0, 0, 1}));
  const std::string transparent = png_palette(3) + png_chunk("tRNS", from_hex("0080"));
  EXPECT_EQ(colours_of(png_of(3, 1, 8, 3, stored(from_hex("00000102")), transparent)),
            (Colours{0, 1, 2}));
}

TEST_F(PaletteImage, PngPixelsBeyondThePaletteAreAnError) {
  const auto error = [&](int depth, const char* row, size_t colours) {
    return error_of(png_of(2, 1, depth, 3, stored(from_hex(row)), png_palette(colours)));
  };
  EXPECT_EQ(error(8, "000003", 3),
            path_ + ": corrupt image: a pixel of colour 3 in a palette of 3");
  EXPECT_THAT(error(8, "00ff00", 255), HasSubstr("colour 255 in a palette of 255"));
  EXPECT_THAT(error(4, "002f", 15), HasSubstr("colour 15 in a palette of 15"));
  EXPECT_THAT(error(2, "0020", 2), HasSubstr("colour 2 in a palette of 2"));
  EXPECT_THAT(error(1, "0040", 1), HasSubstr("colour 1 in a palette of 1"));
}

TEST_F(PaletteImage, PngPalettesThatContradictAreRefused) {
  const std::string pixels = stored(from_hex("000001"));
  const auto error = [&](const std::string& chunks) {
    return error_of(png_of(2, 1, 8, 3, pixels, chunks));
  };
  EXPECT_THAT(error(png_palette(2) + png_palette(3)), HasSubstr("two palettes"));
  EXPECT_THAT(error(png_palette(2) + png_chunk("tRNS", "abc")),
              HasSubstr("transparency of 3 colours in a palette of 2"));
  for (const std::string& chunks : {std::string(), png_chunk("PLTE", "abcd"), png_palette(257)}) {
    EXPECT_THAT(error(chunks), HasSubstr("not a readable"));
  }
}

TEST_F(PaletteImage, APalettesCopyInAPngOfRgbIsPassedOver) {
  EXPECT_EQ(colours_of(png_of(1, 1, 8, 2, stored(from_hex("00030405")), png_palette(1))),
            (Colours{1}));
}

TEST_F(PaletteImage, BmpPixelsHaveThePalettesColours) {
  for (const uint32_t header : {12u, 40u, 56u, 108u, 124u}) {
    EXPECT_EQ(colours_of(palette_bmp(from_hex("0001ff05"), 4, 8, 256, header)),
              (Colours{0, 1, 255, 5}))
        << header;
    EXPECT_EQ(colours_of(palette_bmp(from_hex("f3"), 2, 4, 16, header)), (Colours{15, 3}))
        << header;
    EXPECT_EQ(colours_of(palette_bmp(from_hex("a1"), 8, 1, 2, header)),
              (Colours{1, 0, 1, 0, 0, 0, 0, 1}))
        << header;
  }
}

TEST_F(PaletteImage, BmpPixelsBeyondThePaletteAreAnError) {
  for (const uint32_t header : {12u, 40u, 124u}) {
    EXPECT_EQ(error_of(palette_bmp(from_hex("0003"), 2, 8, 3, header)),
              path_ + ": corrupt image: a pixel of colour 3 in a palette of 3");
    EXPECT_THAT(error_of(palette_bmp(from_hex("2f"), 2, 4, 15, header)),
                HasSubstr("colour 15 in a palette of 15"));
    EXPECT_THAT(error_of(palette_bmp(from_hex("40"), 2, 1, 1, header)),
                HasSubstr("colour 1 in a palette of 1"));
  }
  EXPECT_THAT(error_of(palette_bmp(from_hex("0005"), 2, 8, 8, 40, 5)),
              HasSubstr("colour 5 in a palette of 5"))
      << "what lies between the palette and the pixels is no colour";
  EXPECT_THAT(error_of(palette_bmp(from_hex("00"), 1, 8, 300)),
              HasSubstr("palette of 300 colours"));
}

TEST_F(PaletteImage, CutOffAnywhereIsAnError) {
  const std::string bmp = palette_bmp(from_hex("0001ff05"), 4, 8, 256);
  const std::string png = png_of(4, 1, 8, 3, stored(from_hex("0000010205")), png_palette(6));
  for (const std::string& whole : {bmp, png}) {
    for (size_t length = 0; length + 13 < whole.size(); ++length) {
      EXPECT_THAT(error_of(whole.substr(0, length)), HasSubstr(path_)) << length << " bytes";
    }
  }
}

TEST_F(PaletteImage, DamagedFilesNeverCrash) {
  Rng rng(1);
  const std::vector<std::string> originals{
      palette_bmp(from_hex("0001ff05"), 4, 8, 256), palette_bmp(from_hex("f3"), 2, 4, 16, 12),
      png_of(4, 1, 8, 3, stored(from_hex("0000010205")),
             png_palette(6) + png_chunk("tRNS", from_hex("0080")))};
  int rejected = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = originals[i % 3];
    for (uint64_t damage = rng.below(4); damage < 4; ++damage) {
      bytes[rng.below(std::min<size_t>(bytes.size(), 80))] = static_cast<char>(rng.below(256));
    }
    const std::string error = error_of(bytes);  // any result but a FileError or an image fails
    rejected += error != testing::kNothingThrown ? 1 : 0;
  }
  EXPECT_GT(rejected, 300);
}

}  // namespace
}  // namespace edgeprune
