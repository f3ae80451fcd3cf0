#include "models/pth/byte_cursor.h"

#include <gtest/gtest.h>

namespace edgeprune {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(ByteCursor, WalksFromFrontToBack) {
  ByteCursor bytes(bytes_of("\x01\x02\x03text\nrest"), "f");
  EXPECT_EQ(bytes.little_endian<uint8_t>(), 1);
  EXPECT_EQ(bytes.little_endian<uint16_t>(), 0x0302);
  EXPECT_EQ(bytes.line(), "text");
  EXPECT_EQ(bytes.text(2), "re");
  EXPECT_EQ(bytes.position(), 10u);
  EXPECT_EQ(bytes.take(2).size(), 2u);
  EXPECT_TRUE(bytes.take(0).empty());
}

TEST(ByteCursor, NeverPassesTheEnd) {
  ByteCursor bytes(bytes_of("abc"), "f.pth");
  EXPECT_THROW(bytes.little_endian<uint32_t>(), FileError);
  EXPECT_THROW(bytes.take(~uint64_t{0}), FileError);
  EXPECT_THROW(bytes.line(), FileError);
  EXPECT_EQ(bytes.position(), 0u);
  bytes.take(2);
  try {
    bytes.text(2);
    FAIL() << "expected FileError";
  } catch (const FileError& error) {
    EXPECT_STREQ(error.what(), "f.pth: truncated: 2 bytes expected at byte 2, 1 left");
  }
}

}  // namespace
}  // namespace edgeprune
