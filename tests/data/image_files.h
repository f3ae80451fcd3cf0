#pragma once
// Tiny image files and datasets, made by the tests themselves.

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "tests/support/message_of.h"

namespace edgeprune::testing {

inline void write_bytes(const std::string& path, std::string_view bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

inline std::string little_endian(uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i) & 255));
  return text;
}

/// A 24-bit uncompressed BMP: rows bottom to top, blue first, padded to four bytes.
inline std::string bmp_bytes(const Image& image) {
  const std::string padding((4 - image.width * 3 % 4) % 4, '\0');
  std::string pixels;
  for (int y = image.height - 1; y >= 0; --y) {
    for (int x = 0; x < image.width; ++x) {
      for (int c = 2; c >= 0; --c) {
        pixels.push_back(static_cast<char>(image.rgb[3 * (y * image.width + x) + c]));
      }
    }
    pixels += padding;
  }
  const auto size = static_cast<uint32_t>(54 + pixels.size());
  return "BM" + little_endian(size, 4) + little_endian(0, 4) + little_endian(54, 4) +
         little_endian(40, 4) + little_endian(image.width, 4) + little_endian(image.height, 4) +
         little_endian(1, 2) + little_endian(24, 2) + std::string(24, '\0') + pixels;
}

inline std::string big_endian(uint32_t value) {
  const std::string text = little_endian(value, 4);
  return std::string(text.rbegin(), text.rend());
}

/// A part of a PNG. (stb_image compares no checksums.)
inline std::string png_chunk(const std::string& kind, const std::string& data) {
  return big_endian(static_cast<uint32_t>(data.size())) + kind + data + std::string(4, '\0');
}

/// A PNG whose pixels are these deflated bytes; `before` are chunks in front of them.
inline std::string png_of(int64_t width, int64_t height, int depth, int colour_type,
                          const std::string& deflated, const std::string& before = "") {
  return from_hex("89504e470d0a1a0a") +
         png_chunk("IHDR", big_endian(static_cast<uint32_t>(width)) +
                               big_endian(static_cast<uint32_t>(height)) +
                               static_cast<char>(depth) + static_cast<char>(colour_type) +
                               std::string(3, '\0')) +
         before + png_chunk("IDAT", deflated) + png_chunk("IEND", "");
}

/// Deflate that leaves up to 65,535 bytes as they are.
inline std::string stored(const std::string& bytes) {
  const auto length = static_cast<uint32_t>(bytes.size());
  return from_hex("780101") + little_endian(length, 2) + little_endian(~length, 2) + bytes +
         std::string(4, '\0');
}

/// 3x2 RGB: red, green, blue; (10,20,30), black, white.
inline std::string png_bytes() {
  return from_hex(
      "89504e470d0a1a0a0000000d49484452000000030000000208020000001216f14d000000184944415478da63f8cf"
      "c0c000c15c22720c0c0cffffff070034ad06377fa436cf0000000049454e44ae426082");
}

/// 2x1 grey: 0, 200.
inline std::string grey_png_bytes() {
  return from_hex(
      "89504e470d0a1a0a0000000d4948445200000002000000010800000000d14920560000000b4944415478da636038"
      "010000cb00c9fa6cb48b0000000049454e44ae426082");
}

/// 16x8 RGB: the left half (200,40,40), the right half (40,40,200), as exact as JPEG at quality 90
/// is.
inline std::string jpeg_bytes() {
  return from_hex(
      "ffd8ffe000104a46494600010100000100010000ffdb004300030202030202030303030403030405080505040405"
      "0a"
      "070706080c0a0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffdb0043"
      "01"
      "03040405040509050509140d0b0d1414141414141414141414141414141414141414141414141414141414141414"
      "14"
      "1414141414141414141414141414141414141414141414ffc00011080008001003011100021101031101ffc40014"
      "00"
      "0100000000000000000000000000000007ffc40014100100000000000000000000000000000000ffc40016010101"
      "01"
      "00000000000000000000000000080709ffc40014110100000000000000000000000000000000ffda000c03010002"
      "11"
      "0311003f00144dcd517b474077ffd9");
}

/// 16x8 CMYK, halves as of jpeg_bytes(), inverted and with Adobe's marker, as PIL writes it.
inline std::string cmyk_jpeg_bytes() {
  return from_hex(
      "ffd8ffee000e41646f626500640000000000ffdb0043000302020302020303030304030304050805050404050a07"
      "0706080c0a0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffc0001408"
      "00080010044311004d11005911004b1100ffc400160001010100000000000000000000000000080900ffc4001410"
      "0100000000000000000000000000000000ffda000e0443004d0059004b00003f00600280a2a9a2a32d5b3fffd9");
}

inline Image one_colour(int height, int width, uint8_t value) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * 3, value)};
}

/// Image i is 2x2 of colour i mod 256 and of class i mod `classes`.
inline Dataset numbered_images(int count, int classes) {
  Dataset dataset;
  for (int c = 0; c < classes; ++c) dataset.classes.push_back("class " + std::to_string(c));
  for (int i = 0; i < count; ++i) {
    dataset.images.push_back(one_colour(2, 2, static_cast<uint8_t>(i)));
    dataset.labels.push_back(i % classes);
  }
  return dataset;
}

}  // namespace edgeprune::testing
