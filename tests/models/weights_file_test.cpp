#include "models/weights_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/base/check.h"
#include "engine/nn/network.h"
#include "engine/tensor/safetensors.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

using Values = std::vector<float>;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Array array_of(const Values& values) {
  return Array::from(Tensor({std::ssize(values)}, values));
}

class WeightsFileTest : public ::testing::Test {
 protected:
  WeightsFile read(const std::map<std::string, Array>& arrays) {
    write_safetensors(path_, {arrays});
    return read_weights(path_);
  }
  Values values(const WeightsFile& file, const std::string& name) {
    return testing::values_of(file.archive.at(name).to_tensor(name));
  }
  std::string refusal(const std::map<std::string, Array>& arrays) {
    return message_of<FileError>([&] { read(arrays); });
  }

  testing::TemporaryFolder folder_;
  std::string path_ = folder_.file("weights.safetensors");
};

TEST_F(WeightsFileTest, DamagedValuesAreRefusedByTensorAndFirstIndex) {
  EXPECT_EQ(refusal({{"features.a", array_of({1, 2, kNaN, kNaN})}}),
            path_ + ": tensor 'features.a' has nan at index 2 of [4]: damaged");
  EXPECT_THAT(refusal({{"a", array_of({-kInfinity})}}), HasSubstr("has -inf at index 0"));
  EXPECT_THAT(refusal({{"a", {DType::f16, Shape{1}, {std::byte{0}, std::byte{0x7c}}}}}),
              HasSubstr("has inf at index 0"));
  EXPECT_THAT(
      refusal({{"features.running_var", array_of({1, 0, -1e-6f})}}),
      HasSubstr("'features.running_var' has -1e-06 at index 2, but a variance is never negative"));
  EXPECT_EQ(values(read({{"features.running_mean", array_of({-1})}}), "features.running_mean"),
            Values{-1});
}

TEST_F(WeightsFileTest, SubnormalValuesBecomeZeroAndAreCounted) {
  constexpr float kSmallest = std::numeric_limits<float>::min();
  const WeightsFile file = read({{"a", array_of({1e-39f, kSmallest, -1e-40f, 0, -kSmallest})},
                                 {"n.running_var", array_of({1e-45f})}});
  EXPECT_EQ(values(file, "a"), (Values{0, kSmallest, 0, 0, -kSmallest}));
  EXPECT_EQ(values(file, "n.running_var"), Values{0});
  EXPECT_THAT(file.archive.notes, ElementsAre(HasSubstr("3 subnormal values")));
  EXPECT_TRUE(read({{"a", array_of({kSmallest, 0})}}).archive.notes.empty());
}

TEST_F(WeightsFileTest, PrefixesThatAllNamesShareAreOff) {
  const auto names = [&](const std::vector<std::string>& stored) {
    std::map<std::string, Array> arrays;
    for (const std::string& name : stored) arrays[name] = array_of({1});
    std::vector<std::string> read_names;
    for (const auto& [name, array] : read(arrays).archive.arrays) read_names.push_back(name);
    return read_names;
  };
  EXPECT_THAT(names({"module.features.0", "module.classifier.1"}),
              ElementsAre("classifier.1", "features.0"));
  EXPECT_THAT(names({"model.module.features.0", "model.module.head"}),
              ElementsAre("features.0", "head"));
  EXPECT_THAT(names({"features.0", "features.1"}), ElementsAre("features.0", "features.1"));
  EXPECT_THAT(names({"module.features.0", "step"}), ElementsAre("module.features.0", "step"));
  EXPECT_THAT(names({"weight"}), ElementsAre("weight"));
}

TEST_F(WeightsFileTest, PrefixesOfTrainersAndBackbonesAreOff) {
  const auto names = [&](const std::vector<std::string>& stored) {
    std::map<std::string, Array> arrays;
    for (const std::string& name : stored) arrays[name] = array_of({1});
    std::vector<std::string> read_names;
    for (const auto& [name, array] : read(arrays).archive.arrays) read_names.push_back(name);
    return read_names;
  };
  EXPECT_THAT(names({"backbone.features.0", "classifier.1"}),
              ElementsAre("classifier.1", "features.0"));
  EXPECT_THAT(names({"module._orig_mod.features.0", "module._orig_mod.head"}),
              ElementsAre("features.0", "head"));
  EXPECT_THAT(names({"model.backbone.features.0", "model.head"}),
              ElementsAre("features.0", "head"));
  EXPECT_THAT(names({"features._orig_mod.0", "head"}), ElementsAre("features.0", "head"));
  EXPECT_THAT(names({"features.my_orig_mod.0", "head"}),
              ElementsAre("features.my_orig_mod.0", "head"));
  EXPECT_THAT(names({"n_averaged", "module.features.0", "module.total_ops"}),
              ElementsAre("features.0"));
  EXPECT_THAT(refusal({{"backbone.a", array_of({1})}, {"a", array_of({1})}}),
              HasSubstr("is there with a prefix and without one"));
}

TEST_F(WeightsFileTest, CountersAreLongWhateverTheyWereAndMayBeMissing) {
  const Array three{DType::i32, Shape{}, {std::byte{3}, std::byte{0}, std::byte{0}, std::byte{0}}};
  const WeightsFile file = read({{"a.num_batches_tracked", three},
                                 {"a.running_var", array_of({1})},
                                 {"b.running_var", array_of({1})}});
  EXPECT_EQ(file.archive.at("a.num_batches_tracked").to_int64("a"), 3);
  EXPECT_EQ(file.archive.at("b.num_batches_tracked").to_int64("b"), 0);
}

TEST_F(WeightsFileTest, NamesOfOtherLibrariesBecomeOurs) {
  std::map<std::string, Array> arrays;
  for (const auto& [theirs, ours] : names_in(Library::hugging_face, "mobilenet_v2")) {
    arrays[(theirs == "classifier" ? "" : "mobilenet_v2.") + theirs + ".weight"] = array_of({1});
  }
  const WeightsFile file = read(arrays);
  EXPECT_EQ(file.library, Library::hugging_face);
  EXPECT_EQ(file.network, "mobilenet_v2");
  EXPECT_TRUE(file.archive.arrays.contains("features.18.0.weight"));
  EXPECT_THAT(file.archive.notes,
              ElementsAre("mobilenet_v2 under the names of Hugging Face transformers"));
  EXPECT_THAT(message_of<FileError>([&] { read_weights(path_, "model"); }),
              HasSubstr("--key is for PyTorch checkpoints"));
}

TEST_F(WeightsFileTest, MasksArePutOnTheirWeights) {
  const WeightsFile file = read({{"a.weight_orig", array_of({1, -2, 3})},
                                 {"a.weight_mask", array_of({1, 0, 0})},
                                 {"b.weight", array_of({4})}});
  EXPECT_TRUE(file.masked);
  EXPECT_EQ(file.archive.arrays.size(), 2u);
  EXPECT_EQ(values(file, "a.weight"), (Values{1, 0, 0}));
  EXPECT_FALSE(std::signbit(values(file, "a.weight")[1]));
  EXPECT_FALSE(read({{"b.weight", array_of({0})}}).masked);
  EXPECT_THAT(refusal({{"a_orig", array_of({1, 2})}, {"a_mask", array_of({1})}}),
              HasSubstr("expected floats of one shape"));
  EXPECT_THAT(refusal({{"a_orig", array_of({1})}, {"a_mask", array_of({0.5f})}}),
              HasSubstr("mask 'a_mask' has 0.5 at index 0, expected 0 or 1"));
  EXPECT_THAT(refusal({{"a_orig", array_of({kNaN})}, {"a_mask", array_of({1})}}),
              HasSubstr("tensor 'a' has nan"));
  EXPECT_THAT(refusal({{"a", array_of({1})}, {"a_orig", array_of({1})}, {"a_mask", array_of({1})}}),
              HasSubstr("'a' is there with a mask and without one"));
}

TEST(Subnormals, OfAModelBecomeZeroAndNeverCount) {
  nn::Network model(mobilenet_v2(0.25, 32, 10), 1);
  const ModelSummary before = summarize(model);
  model.head().weight.value().data()[3] = 1e-39f;
  model.norms()[2]->weight.value().data()[0] = -1e-42f;
  EXPECT_EQ(summarize(model).nonzero_prunable, before.nonzero_prunable - 1);
  EXPECT_EQ(summarize(model).nonzero_parameters, before.nonzero_parameters - 2);
  EXPECT_EQ(flush_subnormals(model), 2);
  EXPECT_EQ(model.head().weight.value().data()[3], 0.0f);
  EXPECT_EQ(flush_subnormals(model), 0);
}

}  // namespace
}  // namespace edgeprune
