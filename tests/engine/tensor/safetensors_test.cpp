#include "engine/tensor/safetensors.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

constexpr size_t kLengthBytes = 8;

Archive example() {
  Archive archive;
  archive.arrays["a.weight"] = Array::from(Tensor({3}, std::vector<float>{1, -2, 0.5f}));
  archive.arrays["b.count"] = Array::from(int64_t{42});
  archive.arrays["c.bytes"] = {DType::u8, Shape{5}, std::vector<std::byte>(5, std::byte{9})};
  archive.arrays["d.empty"] = {DType::f32, Shape{0, 3}, {}};
  archive.metadata = {{"format", "pt"}, {"quote", "\"\n"}};
  return archive;
}

std::string text_of(const std::string& path) {
  const std::vector<char> content = read_file(path);
  return {content.begin(), content.end()};
}

/// Reads a file of the given bytes.
Archive read_bytes(const testing::TemporaryFolder& folder, const std::string& bytes) {
  const std::string path = folder.file("crafted.safetensors");
  std::filesystem::remove(
      path);  // ext4 flushes a file that was truncated and rewritten, which is slow
  std::ofstream(path, std::ios::binary) << bytes;
  return read_safetensors(path);
}

std::string with_header(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), kLengthBytes) + header + data;
}

/// A file of one header and eight data bytes must be rejected with a message that holds `reason`.
void expect_rejected(const std::string& header, const std::string& reason) {
  const testing::TemporaryFolder folder;
  try {
    read_bytes(folder, with_header(header, std::string(8, '\0')));
    ADD_FAILURE() << "accepted " << header;
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
  }
}

TEST(Safetensors, ArchiveSurvivesTheRoundTrip) {
  const testing::TemporaryFolder folder;
  write_safetensors(folder.file("f"), example());
  const Archive back = read_safetensors(folder.file("f"));
  const Archive expected = example();
  EXPECT_EQ(back.metadata, expected.metadata);
  ASSERT_EQ(back.arrays.size(), expected.arrays.size());
  for (const auto& [name, array] : expected.arrays) {
    EXPECT_EQ(back.at(name).dtype, array.dtype) << name;
    EXPECT_EQ(back.at(name).shape, array.shape) << name;
    EXPECT_EQ(back.at(name).bytes, array.bytes) << name;
  }
}

TEST(Safetensors, BytesAreWhatTheFormatSays) {
  const testing::TemporaryFolder folder;
  Archive archive;
  archive.arrays["x"] = {DType::u8, Shape{2}, {std::byte{'h'}, std::byte{'i'}}};
  write_safetensors(folder.file("f"), archive);
  const std::string header = R"({"x":{"data_offsets":[0,2],"dtype":"U8","shape":[2]}})";
  EXPECT_EQ(text_of(folder.file("f")), with_header(header + "   ", "hi"));
}

TEST(Safetensors, EveryTensorIsAligned) {
  const testing::TemporaryFolder folder;
  Archive archive = example();  // in name order "b.count" would start at byte 12
  write_safetensors(folder.file("f"), archive);
  const std::string text = text_of(folder.file("f"));
  EXPECT_EQ(static_cast<unsigned char>(text[0]) % 8, 0);
  EXPECT_NE(text.find(R"("b.count":{"data_offsets":[0,8])"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("a.weight":{"data_offsets":[8,20])"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("c.bytes":{"data_offsets":[20,25])"), std::string::npos) << text;
}

TEST(Safetensors, EmptyArchiveIsValid) {
  const testing::TemporaryFolder folder;
  write_safetensors(folder.file("f"), {});
  EXPECT_EQ(text_of(folder.file("f")), with_header("{}      ", ""));
  EXPECT_TRUE(read_safetensors(folder.file("f")).arrays.empty());
}

TEST(Safetensors, OtherWritersOrderIsAccepted) {
  const testing::TemporaryFolder folder;
  const Archive archive =
      read_bytes(folder, with_header(R"( {"z":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                                     R"("a":{"shape":[],"dtype":"U8","data_offsets":[3,4]}})",
                                     "abcd"));
  EXPECT_EQ(archive.at("z").bytes.size(), 3u);
  EXPECT_EQ(archive.at("a").bytes, std::vector<std::byte>{std::byte{'d'}});
}

TEST(Safetensors, TruncationAtEveryLengthIsRejected) {
  const testing::TemporaryFolder folder;
  write_safetensors(folder.file("f"), example());
  const std::string whole = text_of(folder.file("f"));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(read_bytes(folder, whole.substr(0, length)), FileError) << length;
  }
  EXPECT_THROW(read_bytes(folder, whole + "x"), FileError);
}

TEST(Safetensors, DamageAtAnyByteIsReadOrRejectedButNeverWorse) {
  const testing::TemporaryFolder folder;
  write_safetensors(folder.file("f"), example());
  const std::string whole = text_of(folder.file("f"));
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x10, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      try {
        read_bytes(folder, damaged);
      } catch (const FileError&) {
      }
    }
  }
}

TEST(Safetensors, HugeHeaderLengthIsRejected) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(read_bytes(folder, std::string(8, '\xff') + "{}"), FileError);
  EXPECT_THROW(read_bytes(folder, std::string("\0\0\0\0\0\0\0\x10{}", 10)), FileError);
}

TEST(Safetensors, ForeignHeaderIsRejected) {
  expect_rejected("", "not JSON");
  expect_rejected("PK\x03\x04", "not JSON");
  expect_rejected("[1,2]", "not a JSON object");
  expect_rejected(R"({"x":3})", "not described by a JSON object");
  expect_rejected(std::string(100'000, '['), "too deeply");
  expect_rejected(R"({"\ud800":{}})", "not JSON");
}

TEST(Safetensors, BadDtypeIsRejected) {
  expect_rejected(R"({"x":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})",
                  R"(tensor 'x' has dtype "C64", expected F32, I64, U8, I8, F16, BF16, F64, I16, )"
                  R"(I32, U16, U32, U64, BOOL, F8_E4M3 or F8_E5M2)");
  expect_rejected(R"({"x":{"dtype":7,"shape":[4],"data_offsets":[0,8]}})", "dtype 7");
  expect_rejected(R"({"x":{"shape":[4],"data_offsets":[0,8]}})", "dtype null");
}

TEST(Safetensors, BadShapeIsRejected) {
  expect_rejected(R"({"x":{"dtype":"F32","data_offsets":[0,8]}})", "no list 'shape'");
  expect_rejected(R"({"x":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", "no list 'shape'");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "-2 in 'shape'");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", "2.0 in 'shape'");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "has 8 bytes");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", "has 8 bytes");
  // counts that only a wrapped product would make fit
  expect_rejected(R"({"x":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}})",
                  "has 8 bytes");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})",
                  "too large");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}})",
                  "in 'shape'");
}

TEST(Safetensors, OffsetsThatDoNotTileTheDataAreRejected) {
  expect_rejected(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", "1 data offsets");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
                  "truncated or foreign");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})",
                  "bytes 0 to 12 of 8");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                  "end at byte 4 of 8");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "leave a gap");
  expect_rejected(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                  R"("y":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                  "overlap");
  expect_rejected("{}", "end at byte 0 of 8");
}

TEST(Safetensors, DuplicateKeysAreRejected) {
  const std::string x = R"("x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  expect_rejected("{" + x + "," + x + "}", R"("x" is there twice)");
  expect_rejected(R"({"x":{"dtype":"U8","dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                  R"("dtype" is there twice)");
}

TEST(Safetensors, MessagesAreOneShortLineWhateverTheNames) {
  const auto message_of = [](const std::string& header) {
    const testing::TemporaryFolder folder;
    try {
      read_bytes(folder, with_header(header, std::string(8, '\0')));
    } catch (const FileError& error) {
      return std::string(error.what());
    }
    return std::string("accepted\n");
  };
  const std::string name = R"("a\nb)" + std::string(100'000, 'x') + "\"";
  for (const std::string& entry :
       {std::string("3"), std::string("{}"), R"({"dtype":)" + name + "}",
        R"({"dtype":"F32","shape":[)" + name + "]}",
        std::string(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})")}) {
    const std::string message = message_of("{" + name + ":" + entry + "}");
    EXPECT_LT(message.size(), 600u);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  std::string dimensions;
  for (int i = 0; i < 100'000; ++i) dimensions += "1,";
  EXPECT_LT(message_of(R"({"x":{"dtype":"F32","shape":[)" + dimensions + "1]}}").size(), 400u);
}

TEST(Safetensors, MetadataMustBeStrings) {
  const std::string x = R"(,"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  expect_rejected(R"({"__metadata__":[])" + x, "not a JSON object");
  expect_rejected(R"({"__metadata__":{"epoch":3})" + x, "metadata 'epoch' is number");
}

TEST(Safetensors, ArchiveThatCannotBeWrittenIsRejectedAndLeavesNoFile) {
  const testing::TemporaryFolder folder;
  const auto writing = [&](const std::string& name, const Array& array) {
    Archive archive;
    archive.arrays[name] = array;
    write_safetensors(folder.file("f"), archive);
  };
  EXPECT_THROW(writing("__metadata__", Array::from(int64_t{1})), std::invalid_argument);
  EXPECT_THROW(writing("x", {DType::f32, Shape{2}, {}}), std::invalid_argument);
  EXPECT_THROW(writing("\xff", Array::from(int64_t{1})), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(folder.file("f")));
  EXPECT_THROW(write_safetensors(folder.file("absent/f"), {}), FileError);
}

TEST(Safetensors, ItsSizeIsKnownWithoutWritingIt) {
  const testing::TemporaryFolder folder;
  Archive archive;
  archive.metadata["note"] = "three bytes";
  archive.arrays["u8"] = {DType::u8, Shape{3}, std::vector<std::byte>(3)};
  archive.arrays["count"] = Array::from(int64_t{1});
  write_safetensors(folder.file("f"), archive);
  EXPECT_EQ(safetensors_bytes(archive), int64_t(std::filesystem::file_size(folder.file("f"))));
}

TEST(Safetensors, MissingFileIsRejected) {
  const testing::TemporaryFolder folder;
  EXPECT_THROW(read_safetensors(folder.file("absent")), FileError);
  EXPECT_THROW(read_safetensors(folder.path()), FileError);
}

}  // namespace
}  // namespace edgeprune
