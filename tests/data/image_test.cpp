#include "data/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "engine/base/check.h"
#include "engine/base/random.h"
#include "tests/data/image_files.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using testing::bmp_bytes;
using testing::cmyk_jpeg_bytes;
using testing::from_hex;
using testing::grey_png_bytes;
using ::testing::HasSubstr;
using testing::jpeg_bytes;
using testing::little_endian;
using testing::message_of;
using ::testing::Not;
using testing::png_bytes;
using testing::png_of;
using testing::stored;
using testing::write_bytes;

const Image kSixPixels{2, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 0, 0, 0, 255, 255, 255}};

class ImageFile : public ::testing::Test {
 protected:
  Image read(std::string_view bytes) {
    write_bytes(path_, bytes);
    return read_image(path_);
  }

  std::string error_of(std::string_view bytes) {
    return message_of<FileError>([&] { read(bytes); });
  }

  testing::TemporaryFolder folder_;
  std::string path_ = folder_.file("image");
};

TEST_F(ImageFile, BmpPixelsAreRead) {
  EXPECT_EQ(read(bmp_bytes(kSixPixels)), kSixPixels);
}

TEST_F(ImageFile, PngPixelsAreRead) {
  EXPECT_EQ(read(png_bytes()), kSixPixels);
}

TEST_F(ImageFile, GreyBecomesRgb) {
  EXPECT_EQ(read(grey_png_bytes()), (Image{1, 2, {0, 0, 0, 200, 200, 200}}));
}

TEST_F(ImageFile, JpegPixelsAreRead) {
  const Image image = read(jpeg_bytes());
  ASSERT_EQ(image.height, 8);
  ASSERT_EQ(image.width, 16);
  ASSERT_EQ(image.rgb.size(), 8u * 16 * 3);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 16; ++x) {
      const uint8_t* pixel = &image.rgb[3 * (y * 16 + x)];
      EXPECT_NEAR(pixel[0], x < 8 ? 200 : 40, 3);
      EXPECT_NEAR(pixel[1], 40, 3);
      EXPECT_NEAR(pixel[2], x < 8 ? 40 : 200, 3);
    }
  }
}

void expect_red_and_blue_halves(const Image& image) {
  ASSERT_EQ(image.height, 8);
  ASSERT_EQ(image.width, 16);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 16; ++x) {
      const uint8_t* pixel = &image.rgb[3 * (y * 16 + x)];
      EXPECT_NEAR(pixel[0], x < 8 ? 200 : 40, 3) << x << "," << y;
      EXPECT_NEAR(pixel[1], 40, 3);
      EXPECT_NEAR(pixel[2], x < 8 ? 40 : 200, 3);
    }
  }
}

TEST_F(ImageFile, CmykIsInvertedWithAndWithoutAdobesMarker) {
  const std::string marked = cmyk_jpeg_bytes();
  expect_red_and_blue_halves(read(marked));
  std::string plain = marked;
  plain.erase(2, 16);
  EXPECT_EQ(read(plain), read(marked));
}

/// jpeg_bytes() with an EXIF segment, whose only entry is the orientation.
std::string with_orientation(int orientation, bool little) {
  const std::string value(1, static_cast<char>(orientation));
  const std::string tiff = little ? "II" +
                                        from_hex(
                                            "2a0008000000"
                                            "0100"
                                            "1201030001000000") +
                                        value + from_hex("000000")
                                  : "MM" +
                                        from_hex(
                                            "002a00000008"
                                            "0001"
                                            "011200030000000100") +
                                        value + from_hex("0000");
  const std::string exif = std::string("Exif\0\0", 6) + tiff;
  const std::string jpeg = jpeg_bytes();
  return jpeg.substr(0, 2) + from_hex("ffe100") + static_cast<char>(exif.size() + 2) + exif +
         jpeg.substr(2);
}

TEST_F(ImageFile, ExifOrientationIsTurnedUpright) {
  const Image as_it_lies = read(jpeg_bytes());
  const auto at = [](const Image& image, int y, int x) {
    return image.rgb[3 * (size_t(y) * image.width + x)];
  };
  for (const bool little : {true, false}) {
    // Where the red half, left as the file lies, is seen; by the numbers of the standard.
    const Image turned = read(with_orientation(6, little));
    EXPECT_EQ(turned.height, 16);
    EXPECT_EQ(turned.width, 8);
    for (int y = 0; y < 16; ++y) EXPECT_NEAR(at(turned, y, 3), y < 8 ? 200 : 40, 3);
    const Image back = read(with_orientation(8, little));
    for (int y = 0; y < 16; ++y) EXPECT_NEAR(at(back, y, 3), y < 8 ? 40 : 200, 3);
    for (int orientation : {0, 1, 4, 9, 77}) {
      EXPECT_NEAR(at(read(with_orientation(orientation, little)), 0, 0), 200, 3) << orientation;
    }
    for (int orientation : {2, 3}) {
      const Image mirrored = read(with_orientation(orientation, little));
      EXPECT_NEAR(at(mirrored, 0, 0), 40, 3) << orientation;
      EXPECT_NEAR(at(mirrored, 7, 15), 200, 3) << orientation;
    }
  }
  EXPECT_EQ(read(with_orientation(0, true)), as_it_lies);
}

TEST(PixelsUpright, EveryOrientationPutsTheCornersWhereTheStandardSays) {
  // 0 1 2
  // 3 4 5
  const Image image{2, 3, {0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5}};
  const std::vector<std::vector<int>> seen{
      {0, 1, 2, 3, 4, 5}, {2, 1, 0, 5, 4, 3}, {5, 4, 3, 2, 1, 0}, {3, 4, 5, 0, 1, 2},
      {0, 3, 1, 4, 2, 5}, {3, 0, 4, 1, 5, 2}, {5, 2, 4, 1, 3, 0}, {2, 5, 1, 4, 0, 3}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image upright = Pixels(image).upright(orientation).copy();
    EXPECT_EQ(upright.width, orientation < 5 ? 3 : 2);
    std::vector<int> values;
    for (size_t i = 0; i < upright.rgb.size(); i += 3) values.push_back(upright.rgb[i]);
    EXPECT_EQ(values, seen[size_t(orientation) - 1]) << orientation;
  }
}

TEST_F(ImageFile, DamagedExifIsPassedOver) {
  const std::string whole = with_orientation(6, true);
  const size_t tiff = whole.find("II");
  Rng rng(3);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = whole;
    for (int k = 0; k < 3; ++k) {
      bytes[tiff + rng.below(22)] = static_cast<char>(rng.below(256));
    }
    EXPECT_EQ(error_of(bytes), testing::kNothingThrown);
  }
}

TEST_F(ImageFile, MissingEmptyAndForeignFilesAreNamed) {
  const auto missing = message_of<FileError>([&] { read_image(folder_.file("none.jpg")); });
  EXPECT_THAT(missing, HasSubstr("none.jpg"));
  EXPECT_THAT(message_of<FileError>([&] { read_image(folder_.path()); }),
              HasSubstr(folder_.path()));
  EXPECT_THAT(error_of(""), HasSubstr(path_ + ": empty file"));
  EXPECT_THAT(error_of("this is a text"), HasSubstr(path_ + ": not a readable"));
  EXPECT_THAT(error_of("GIF89a" + std::string(100, '\1')), HasSubstr("not a readable"));
}

TEST_F(ImageFile, EveryTruncationOfABmpIsRejected) {
  const std::string whole = bmp_bytes(testing::one_colour(4, 4, 7));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THAT(error_of(whole.substr(0, length)), HasSubstr(path_)) << length << " bytes";
  }
}

TEST_F(ImageFile, EveryTruncationOfAPngOrJpegIsRejected) {
  const std::string png = png_bytes();
  for (size_t length = 0; length + 4 < png.size(); ++length) {  // 4: the last checksum is not read
    EXPECT_THAT(error_of(png.substr(0, length)), HasSubstr(path_)) << length << " bytes of PNG";
  }
  const std::string jpeg = jpeg_bytes();
  for (size_t length = 0; length < jpeg.size(); ++length) {
    EXPECT_THAT(error_of(jpeg.substr(0, length)), HasSubstr(path_)) << length << " bytes of JPEG";
  }
}

TEST_F(ImageFile, HeadersThatPromiseHugeImagesAreRejectedBeforeAllocating) {
  std::string bmp = bmp_bytes(kSixPixels);
  bmp.replace(18, 8, little_endian(16000, 4) + little_endian(16000, 4));
  EXPECT_THAT(error_of(bmp), HasSubstr("16000 x 16000"));
  bmp.replace(18, 8, little_endian(8000, 4) + little_endian(8000, 4));
  EXPECT_THAT(error_of(bmp), HasSubstr("truncated image: 8000 x 8000"));
  bmp.replace(18, 8, little_endian(2'000'000'000, 4) + little_endian(2'000'000'000, 4));
  EXPECT_THAT(error_of(bmp), HasSubstr(path_));
  bmp.replace(18, 8, little_endian(0, 4) + little_endian(0, 4));
  EXPECT_THAT(error_of(bmp), HasSubstr(path_));
  bmp.replace(18, 8, little_endian(0x80000000, 4) + little_endian(0x80000000, 4));
  EXPECT_THAT(error_of(bmp), HasSubstr(path_));
}

/// Deflate at its best: a zero, then "the last byte 258 times more", `repeats` times.
std::string deflated_zeros(int repeats) {
  std::string bytes = from_hex("7801");
  int used = 8;  // bits of the last byte
  const auto put = [&](std::string_view bits) {
    for (const char bit : bits) {
      if (used == 8) bytes.push_back('\0'), used = 0;
      if (bit == '1') bytes.back() = static_cast<char>(bytes.back() | 1 << used);
      ++used;
    }
  };
  put("110");       // the last block, of fixed codes
  put("00110000");  // a zero
  for (int i = 0; i < repeats; ++i) put("1100010100000");
  put("0000000");  // the end
  return bytes + std::string(4, '\0');
}

TEST_F(ImageFile, SixteenBitPixelsAreReadUpToHalfAGigabyte) {
  EXPECT_EQ(read(png_of(1, 1, 16, 2, stored(from_hex("000a000b000c00")))),
            (Image{1, 1, {10, 11, 12}}));
  EXPECT_THAT(error_of(png_of(8192, 8192, 16, 6, std::string(10'000, '\0'))),
              HasSubstr("8192 x 8192 pixels that would take more than 512 MB"));
}

TEST_F(ImageFile, CompressedDataThatUnfoldBeyondTheImageAreRefused) {
  EXPECT_EQ(read(png_of(16, 16, 8, 2, deflated_zeros(4))), testing::one_colour(16, 16, 0));
  EXPECT_THAT(error_of(png_of(1, 1, 8, 2, deflated_zeros(200'000))),  // 52 MB in 325 kB
              HasSubstr("1 x 1 pixels that would take more than 17 MB"));
}

TEST_F(ImageFile, JpegsOfEndlessScansAreRefused) {
  const std::string jpeg = jpeg_bytes(), scan = from_hex("ffda0002");
  std::string scans;
  for (int i = 0; i < 100; ++i) scans += scan;
  EXPECT_THAT(error_of(jpeg.substr(0, 2) + scans + jpeg.substr(2)),
              HasSubstr("JPEG of more than 100 scans"));  // with its own
}

TEST_F(ImageFile, NoFormatPacksMorePixelsThanItsOwnMost) {
  std::string bmp = bmp_bytes(kSixPixels);
  bmp.replace(18, 8, little_endian(100, 4) + little_endian(100, 4));  // in 78 bytes
  EXPECT_THAT(error_of(bmp), HasSubstr("truncated image: 100 x 100"));
  std::string jpeg = jpeg_bytes();
  const size_t frame = jpeg.find("\xFF\xC0");
  jpeg.replace(frame + 5, 4, from_hex("04000400"));  // 1024 x 1024 in 297 bytes
  EXPECT_THAT(error_of(jpeg), HasSubstr("truncated image: 1024 x 1024"));
}

TEST_F(ImageFile, HuffmanTablesThatAreNotDefinedAreNotTakenFromStrayMemory) {
  std::string jpeg = jpeg_bytes();
  for (size_t at = 0; (at = jpeg.find("\xFF\xC4", at)) != jpeg.npos;) {
    jpeg[at + 1] = '\xFE';  // now a comment
  }
  mallopt(M_PERTURB, 0x80);  // what malloc() gives holds stray bytes, not zeros
  const std::string error = error_of(jpeg);
  mallopt(M_PERTURB, 0);
  EXPECT_EQ(error, testing::kNothingThrown) << "a table of zeros decodes to zeros";
}

TEST_F(ImageFile, ThatAFileIsCorruptIsSaidOnce) {
  std::string png = png_bytes();
  png[png.find("IDAT") + 4] = '\0';  // no deflate
  EXPECT_EQ(error_of(png), path_ + ": corrupt PNG image");
  std::string bmp = bmp_bytes(kSixPixels);
  bmp.replace(28, 2, little_endian(8, 2));  // pixels of a palette that is not there
  EXPECT_EQ(error_of(bmp), path_ + ": corrupt BMP image");
}

TEST_F(ImageFile, HuffmanTableOfTooManyCodesIsRejected) {
  std::string jpeg = jpeg_bytes();
  const size_t table = jpeg.find("\xFF\xC4");
  jpeg.replace(table + 5, 2, "\xFF\xFF");
  EXPECT_THAT(error_of(jpeg), HasSubstr("Huffman table of more than 256 codes"));
}

TEST_F(ImageFile, WhatLooksLikeATableInsideAnotherSegmentIsPassedOver) {
  const std::string jpeg = jpeg_bytes();
  const std::string comment = from_hex("fffe001effc400140000ffff") + std::string(20, '\0');
  EXPECT_EQ(read(jpeg.substr(0, 2) + comment + jpeg.substr(2)), read(jpeg));
}

TEST_F(ImageFile, DamagedFilesNeverCrash) {
  Rng rng(1);
  const std::vector<std::string> originals{bmp_bytes(kSixPixels), png_bytes(), jpeg_bytes()};
  int rejected = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = originals[i % 3];
    for (uint64_t damage = rng.below(4); damage < 4; ++damage) {
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    }
    const std::string error = error_of(bytes);  // any result but a FileError or an image fails
    if (error == testing::kNothingThrown) continue;
    ++rejected;
    ASSERT_THAT(error, HasSubstr(path_));
    ASSERT_THAT(error, Not(HasSubstr("\n")));
  }
  EXPECT_GT(rejected, 300);
}

TEST(ImageFiles, CifarJpegsAreThirtyTwoSquare) {
  EDGEPRUNE_REQUIRE_SHARED("data/cifar10/test/cat/0000.jpg");
  const Image image = read_image(testing::shared_path("data/cifar10/test/cat/0000.jpg").string());
  EXPECT_EQ(image.height, 32);
  EXPECT_EQ(image.width, 32);
  EXPECT_EQ(image.rgb.size(), 3072u);
}

}  // namespace
}  // namespace edgeprune
