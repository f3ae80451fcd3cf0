#include "models/onnx/read.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <protozero/pbf_writer.hpp>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "models/onnx/write.h"
#include "tests/models/onnx/sample_model.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

std::string refusal_of(const std::string& bytes) {
  return message_of<std::invalid_argument>([&] { onnx::parse(bytes); });
}

TEST(OnnxReader, WhatIsWrittenIsReadAsTheSame) {
  const std::string bytes = onnx::serialize(testing::sample_onnx());
  const onnx::Model model = onnx::parse(bytes);
  EXPECT_EQ(onnx::serialize(model), bytes);
  EXPECT_EQ(model.input.dims, (std::vector<int64_t>{onnx::kAnyBatch, 4}));
  EXPECT_EQ(model.initializers.at(0).bytes, std::string("\x81\0\x7f", 3));
  EXPECT_EQ(std::get<float>(model.nodes.at(0).attributes.at(2).value), 0.5f);
}

TEST(OnnxReader, ACutFileIsRefusedOrLacksWhatStoodBehind) {
  const std::string bytes = onnx::serialize(testing::sample_onnx());
  size_t refused = 0;
  for (size_t length = 0; length < bytes.size(); ++length) {
    refused += refusal_of(bytes.substr(0, length)) != testing::kNothingThrown;
  }
  EXPECT_GE(refused, bytes.find("\"é\"") -
                         60);  // all that is cut within the graph; metadata stand behind it
}

TEST(OnnxReader, DamagedBytesAreRefusedOrReadAsOthers) {
  const std::string bytes = onnx::serialize(testing::sample_onnx());
  size_t refused = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {1, 2, 4, 8, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const std::string message = refusal_of(damaged);
      refused += message != testing::kNothingThrown;
      EXPECT_EQ(message.find('\n'), std::string::npos);
    }
  }
  EXPECT_GT(refused, bytes.size());
}

TEST(OnnxReader, WhatIsNoOnnxFileIsSaid) {
  EXPECT_EQ(refusal_of(""), "[onnx] no ONNX file: there is no graph in it");
  EXPECT_THAT(refusal_of("PK\x03\x04 what else"), HasSubstr("[onnx] damaged, or no ONNX file"));
  EXPECT_THAT(refusal_of("\x38\x01"),
              HasSubstr("field 7 is of the wrong type"));  // the graph a number
  const testing::TemporaryFolder folder;
  write_file_atomically(folder.file("a.onnx"), "");
  EXPECT_THAT(message_of<FileError>([&] { onnx::read_onnx(folder.file("a.onnx")); }),
              HasSubstr("a.onnx: [onnx] no ONNX file"));
  EXPECT_THAT(message_of<FileError>([&] { onnx::read_onnx(folder.file("b.onnx")); }),
              HasSubstr("b.onnx"));
}

TEST(OnnxReader, ConstantsThatAreNotWholeAreRefused) {
  onnx::Model model = testing::sample_onnx();
  model.initializers[0].dims = {4, 1};
  EXPECT_EQ(refusal_of(onnx::serialize(model)), "[onnx] constant 'w' has 3 bytes, expected 4");
  model.initializers[0].dims = {int64_t{1} << 40, int64_t{1} << 40};
  EXPECT_EQ(refusal_of(onnx::serialize(model)),
            "[onnx] constant 'w' has a dimension of 1099511627776");
  model.initializers[0].dims = {-1};
  EXPECT_EQ(refusal_of(onnx::serialize(model)), "[onnx] constant 'w' has a dimension of -1");
  model.initializers[0] = testing::sample_onnx().initializers[0];
  model.initializers[0].type = static_cast<onnx::DataType>(8);
  EXPECT_EQ(refusal_of(onnx::serialize(model)), "[onnx] constants of type 8 are not known");
}

/// The bytes of a model whose one constant `write` writes.
std::string with_constant(const std::function<void(protozero::pbf_writer&)>& write) {
  std::string constant, graph, bytes;
  protozero::pbf_writer tensor(constant);
  tensor.add_string(8, "c");
  write(tensor);
  protozero::pbf_writer to(graph);
  to.add_message(5, constant);
  to.add_message(11, std::string("\x0a\x01x"));
  to.add_message(12, std::string("\x0a\x01y"));
  protozero::pbf_writer(bytes).add_message(7, graph);
  return bytes;
}

TEST(OnnxReader, NumbersMayStandInFieldsOfTheirType) {
  const std::vector<int64_t> dims{2}, whole{3, -4};
  const std::vector<float> real{0.5f, 2.0f};
  const onnx::Model floats = onnx::parse(with_constant([&](auto& tensor) {
    tensor.add_packed_int64(1, dims.begin(), dims.end());
    tensor.add_int32(2, 1);
    tensor.add_packed_float(4, real.begin(), real.end());
  }));
  EXPECT_EQ(floats.initializers.at(0).bytes, onnx::make_tensor<float>("", {2}, real).bytes);
  const onnx::Model numbers = onnx::parse(with_constant([&](auto& tensor) {
    tensor.add_int64(1, 2);
    tensor.add_int32(2, 7);
    tensor.add_packed_int64(7, whole.begin(), whole.end());
  }));
  EXPECT_EQ(numbers.initializers.at(0).bytes, onnx::make_tensor<int64_t>("", {2}, whole).bytes);
}

TEST(OnnxReader, OtherFloatingTypesBecomeFloats) {
  const auto floats_of = [](int type, const std::string& bytes) {
    const onnx::Model model = onnx::parse(with_constant([&](auto& tensor) {
      tensor.add_int64(1, 2);
      tensor.add_int32(2, type);
      tensor.add_bytes(9, bytes);
    }));
    EXPECT_EQ(model.initializers.at(0).type, onnx::DataType::float32);
    return model.initializers.at(0).bytes;
  };
  const std::vector<float> real{0.5f, -2.0f};
  const std::string expected = onnx::make_tensor<float>("", {2}, real).bytes;
  EXPECT_EQ(floats_of(10, std::string("\0\x38\0\xc0", 4)), expected);
  EXPECT_EQ(floats_of(16, std::string("\0\x3f\0\xc0", 4)), expected);
  EXPECT_EQ(floats_of(11, std::string("\0\0\0\0\0\0\xe0\x3f\0\0\0\0\0\0\0\xc0", 16)), expected);
  const std::vector<int64_t> halves{0x3800, 0xc000};
  EXPECT_EQ(onnx::parse(with_constant([&](auto& tensor) {
              tensor.add_int64(1, 2);
              tensor.add_int32(2, 10);
              tensor.add_packed_int64(5, halves.begin(), halves.end());
            }))
                .initializers.at(0)
                .bytes,
            expected);
}

using Entries = std::vector<std::pair<std::string, std::string>>;

/// Of a model whose one constant is [2,3] bytes in another file.
std::string with_external(const Entries& entries) {
  return with_constant([&](auto& tensor) {
    tensor.add_int64(1, 2);
    tensor.add_int64(1, 3);
    tensor.add_int32(2, 3);
    for (const auto& [key, value] : entries) {
      std::string entry;
      protozero::pbf_writer to(entry);
      to.add_string(1, key);
      to.add_string(2, value);
      tensor.add_message(13, entry);
    }
  });
}

class OnnxExternalData : public ::testing::Test {
 protected:
  std::string refusal(const Entries& entries) {
    write_file_atomically(folder.file("m.onnx"), with_external(entries));
    const std::string message =
        message_of<FileError>([&] { onnx::read_onnx(folder.file("m.onnx")); });
    EXPECT_THAT(message, HasSubstr("m.onnx: [onnx] "));
    return message;
  }
  void SetUp() override { write_file_atomically(folder.file("m.onnx.data"), "0123456789"); }
  const testing::TemporaryFolder folder;
};

TEST_F(OnnxExternalData, IsReadWhereItSays) {
  for (const Entries& entries :
       {Entries{{"location", "m.onnx.data"}, {"offset", "4"}, {"length", "6"}},
        Entries{{"location", "m.onnx.data"}, {"offset", "4"}, {"checksum", "any"}}}) {
    write_file_atomically(folder.file("m.onnx"), with_external(entries));
    const onnx::Model model = onnx::read_onnx(folder.file("m.onnx"));
    EXPECT_EQ(model.initializers.at(0).bytes, "456789");
    EXPECT_THAT(model.data_files, ::testing::ElementsAre(folder.file("m.onnx.data")));
  }
  write_file_atomically(folder.file("m.onnx"), with_external({{"location", "m.onnx.data"}}));
  EXPECT_EQ(onnx::read_onnx(folder.file("m.onnx")).initializers.at(0).bytes, "012345");
}

TEST_F(OnnxExternalData, ThatLeavesTheFolderIsRefused) {
  for (const char* location :
       {"../m.onnx.data", "/etc/passwd", "a/m.onnx.data", "./m.onnx.data", "..", ".", ""}) {
    EXPECT_THAT(refusal({{"location", location}}),
                HasSubstr(fmt::format("constant 'c' is kept in '{}': expected the name of a file "
                                      "beside the model",
                                      location)));
  }
  std::filesystem::create_symlink(folder.file("m.onnx.data"), folder.file("link"));
  EXPECT_THAT(refusal({{"location", "link"}}), HasSubstr("link: a link, expected a file"));
  EXPECT_THAT(refusal({{"location", "none"}}), HasSubstr("none: No such file"));
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal({{"location", "pipe"}}), HasSubstr("pipe: not a regular file"));
}

TEST_F(OnnxExternalData, ThatIsNotThereIsRefused) {
  const auto refused = [&](const char* offset, const char* length) {
    return refusal({{"location", "m.onnx.data"}, {"offset", offset}, {"length", length}});
  };
  EXPECT_THAT(refused("0", "5"), HasSubstr("'c' has 5 bytes in 'm.onnx.data', expected 6"));
  EXPECT_THAT(refused("5", "6"),
              HasSubstr("'c' is to be 6 bytes of 'm.onnx.data' from 5 on, which has 10"));
  EXPECT_THAT(refused("9223372036854775807", "6"), HasSubstr("from 9223372036854775807 on"));
  for (const char* damaged : {"-1", "x", "1x", "", "99999999999999999999"}) {
    EXPECT_THAT(refused(damaged, "6"), HasSubstr("expected a number"));
  }
}

TEST_F(OnnxExternalData, MayBeSharedButNotWithoutEnd) {
  onnx::Model model;
  for (int i = 0; i < 17; ++i) {
    model.initializers.push_back({"c", onnx::DataType::uint8, {10}, "", onnx::External{"f"}});
  }
  const auto read = [](const std::string&) { return std::vector<char>(10, 'x'); };
  onnx::Model fewer = model;
  fewer.initializers.pop_back();
  onnx::read_external(fewer, read);
  EXPECT_EQ(fewer.initializers.back().bytes, "xxxxxxxxxx");
  EXPECT_EQ(message_of<std::invalid_argument>([&] { onnx::read_external(model, read); }),
            "[onnx] its constants take more than 16 times what 'f' holds");
}

TEST(OnnxReader, OneInputAndOneOutputAreExpected) {
  onnx::Model model = testing::sample_onnx();
  model.input.name = "w";  // a constant's: old exporters list those as inputs
  EXPECT_EQ(refusal_of(onnx::serialize(model)), "[onnx] 0 inputs, expected one");
}

}  // namespace
}  // namespace edgeprune
