// ONNX files as checkpoints: what they are known by, and whether they were pruned.

#include <gtest/gtest.h>

#include "engine/base/file.h"
#include "models/checkpoint.h"
#include "models/onnx/graph_builder.h"
#include "models/onnx/write.h"
#include "models/onnx_export.h"
#include "models/summary.h"
#include "tests/models/checkpoint_file.h"

namespace edgeprune {
namespace {

class OnnxCheckpoint : public ::testing::Test {
 protected:
  Checkpoint loaded(const onnx::Model& model) const {
    onnx::write_onnx(path_, model);
    return load_checkpoint(path_);
  }
  const testing::TemporaryFolder folder_;
  const std::string path_ = folder_.file("m.onnx"), data_ = folder_.file("m.onnx.data");
};

TEST_F(OnnxCheckpoint, TheDataBesideItIsAPartOfWhatItIs) {
  const nn::Network network(testing::small(), 1);
  onnx::Model model = onnx::to_onnx(network, testing::sample_info(), {.opset = 13});
  const auto expected = loaded(model).model->state_dict();
  std::string data = "in front";
  for (onnx::Tensor& tensor : model.initializers) {
    tensor.external = onnx::External{"m.onnx.data", std::ssize(data), std::ssize(tensor.bytes)};
    data += tensor.bytes;
  }
  write_file_atomically(data_, data);
  const Checkpoint read = loaded(model);
  const auto found = read.model->state_dict();
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, array] : expected) EXPECT_EQ(found.at(name).bytes, array.bytes) << name;
  EXPECT_EQ(read.info.history.back()["sha256"], read.sha256);
  const std::string files[] = {path_, data_};
  EXPECT_EQ(read.sha256, sha256_of_files(files));
  data.back() ^= 1;
  write_file_atomically(data_, data);
  EXPECT_NE(load_checkpoint(path_).sha256, read.sha256);
}

TEST_F(OnnxCheckpoint, ZerosBeyondChanceStay) {
  const nn::Network network(testing::small(), 1);
  ModelInfo info = testing::sample_info();
  info.history.clear();
  EXPECT_FALSE(loaded(onnx::to_onnx(network, info, {.opset = 13})).info.is_pruned());
  for (PrunableWeight& weight : prunable_weights(network)) {
    auto values = weight.variable.value().values();
    for (size_t i = 0; i < values.size(); i += 50) values[i] = 0;
  }
  EXPECT_TRUE(loaded(onnx::to_onnx(network, info, {.opset = 13})).info.is_pruned());
}

TEST_F(OnnxCheckpoint, ZerosOfPaddingAreNoPruning) {
  onnx::Model model{.opset = 17,
                    .input = {"x", onnx::DataType::float32, {1, 3, 64, 64}},
                    .output = {"", onnx::DataType::float32, {1, 2}}};
  onnx::GraphBuilder to(model);
  const auto ones = [&](const std::string& name, std::vector<int64_t> dims, size_t count) {
    return to.constant<float>(name, std::move(dims), std::vector<float>(count, 1.0f));
  };
  std::string value =
      to.add("Conv", "conv", {"x", ones("conv.weight", {8, 3, 3, 3}, 216)},
             {{"pads", std::vector<int64_t>{0, 0, 1, 1}}, {"strides", std::vector<int64_t>(2, 2)}});
  value = to.add("Flatten", "flat", {to.add("GlobalAveragePool", "pool", {value})});
  model.output.name = to.add("Gemm", "fc", {value, ones("fc", {2, 8}, 16), ones("bias", {2}, 2)},
                             {{"transB", int64_t{1}}});
  const Checkpoint checkpoint = loaded(model);
  EXPECT_EQ(checkpoint.model->state_dict().at("conv.weight").shape, (Shape{8, 3, 4, 4}));
  EXPECT_FALSE(checkpoint.info.is_pruned());
  EXPECT_EQ(checkpoint.info.history.back()["padding_zeros"], 8 * 3 * 7);
}

}  // namespace
}  // namespace edgeprune
