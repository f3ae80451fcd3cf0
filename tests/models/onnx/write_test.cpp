#include "models/onnx/write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/models/onnx/decoded.h"
#include "tests/models/onnx/sample_model.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::ElementsAre;
using testing::message_of;
using testing::sample_onnx;

TEST(OnnxFile, HoldsWhatTheModelDoesByTheNumbersOfTheSchema) {
  const auto found = testing::decode(onnx::serialize(sample_onnx()));
  EXPECT_EQ(found.ir_version, 7);
  EXPECT_EQ(found.opset, 13);
  EXPECT_EQ(found.domain, "");
  EXPECT_EQ(found.producer, "edgeprune");
  EXPECT_EQ(found.producer_version, "1.2");
  EXPECT_EQ(found.graph, "net");
  EXPECT_EQ(found.metadata, (std::map<std::string, std::string>{{"a", "1"}, {"b", "\"é\""}}));
  ASSERT_EQ(found.nodes.size(), 1u);
  const auto& node = found.nodes[0];
  EXPECT_EQ(node.op, "Conv");
  EXPECT_EQ(node.name, "n");
  EXPECT_THAT(node.inputs, ElementsAre("images", "w"));
  EXPECT_THAT(node.outputs, ElementsAre("logits"));
  EXPECT_THAT(node.ints.at("pads"), ElementsAre(0, -1));
  EXPECT_THAT(node.ints.at("group"), ElementsAre(3));
  EXPECT_EQ(node.floats.at("alpha"), 0.5f);
  EXPECT_EQ(node.strings.at("auto_pad"), "NOTSET");
  EXPECT_THAT(node.tensors.at("value").values<int64_t>(), ElementsAre(1, -1));
  ASSERT_EQ(found.inputs.size(), 1u);
  EXPECT_EQ(found.inputs[0].name, "images");
  EXPECT_EQ(found.inputs[0].type, 2);  // UINT8
  EXPECT_THAT(found.inputs[0].dims, ElementsAre("batch", "4"));
  ASSERT_EQ(found.outputs.size(), 1u);
  EXPECT_EQ(found.outputs[0].type, 1);  // FLOAT
  EXPECT_THAT(found.outputs[0].dims, ElementsAre("1", "2"));
  const auto& weights = found.constants.at("w");
  EXPECT_EQ(weights.type, 3);  // INT8
  EXPECT_THAT(weights.dims, ElementsAre(3, 1));
  EXPECT_THAT(weights.values<int8_t>(), ElementsAre(-127, 0, 127));
  EXPECT_THAT(found.constants.at("s").dims, ElementsAre());
  EXPECT_THAT(found.constants.at("s").values<float>(), ElementsAre(0.25f));
}

TEST(OnnxFile, NewerOperatorsTellOfANewerFormat) {
  onnx::Model model = sample_onnx();
  for (const auto& [opset, ir] : {std::pair(14, 7), {15, 8}, {17, 8}}) {
    model.opset = opset;
    EXPECT_EQ(testing::decode(onnx::serialize(model)).ir_version, ir) << opset;
  }
}

TEST(OnnxFile, MoreBytesThanItMayHoldAreRefused) {
  const onnx::Model model = sample_onnx();
  const size_t bytes = onnx::serialize(model).size();
  EXPECT_EQ(onnx::serialize(model, bytes).size(), bytes);
  const auto refusal = [&](size_t most) {
    return message_of<std::invalid_argument>([&] { onnx::serialize(model, most); });
  };
  EXPECT_EQ(refusal(bytes - 1),
            fmt::format("[onnx] the network takes {} bytes, an ONNX file holds {} at most", bytes,
                        bytes - 1));
  EXPECT_EQ(refusal(6), "[onnx] the network takes 7 bytes, an ONNX file holds 6 at most");
  EXPECT_EQ(onnx::kMostBytes, 2147483647u);
}

TEST(OnnxFile, IsWrittenWholeOrNotAtAll) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("model.onnx");
  onnx::write_onnx(path, sample_onnx());
  const std::vector<char> content = read_file(path);
  EXPECT_EQ(std::string(content.begin(), content.end()), onnx::serialize(sample_onnx()));
  EXPECT_THAT(message_of<FileError>(
                  [&] { onnx::write_onnx(folder.file("none/model.onnx"), sample_onnx()); }),
              ::testing::HasSubstr("none/model.onnx"));
}

}  // namespace
}  // namespace edgeprune
