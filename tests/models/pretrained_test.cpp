#include <fstream>

#include "engine/base/file.h"
#include "tests/models/checkpoint_file.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::CheckpointFile;
using testing::expect_parts;
using testing::refusal;
using testing::sample_info;
using testing::small;

class PretrainedFile : public CheckpointFile {};

TEST_F(PretrainedFile, AHeadThatFitsIsTakenOver) {
  const nn::Network source(small(), 1);
  save_checkpoint(path_, source, sample_info());
  const Checkpoint loaded = load_checkpoint(path_, {.classes = 10, .seed = 2});
  ASSERT_EQ(loaded.notes.size(), 1u);
  expect_parts(loaded.notes[0], {"classifier.1", "taken over", "10"});
  EXPECT_TRUE(
      testing::identical(loaded.model->head().weight.value(), source.head().weight.value()));
}

TEST_F(PretrainedFile, AHeadForOtherClassesIsReplacedAndReported) {
  const nn::Network source(small(), 1);
  save_checkpoint(path_, source, sample_info());
  const Checkpoint loaded = load_checkpoint(path_, {.classes = 7, .seed = 2});
  ASSERT_EQ(loaded.notes.size(), 1u);
  expect_parts(loaded.notes[0], {"classifier.1", "10 classes", "replaced", "7 classes", "seed 2"});
  EXPECT_EQ(loaded.model->head().weight.shape(), (Shape{7, 1280}));
  EXPECT_TRUE(testing::identical(loaded.model->head().weight.value(),
                                 nn::Network(small(7), 2).head().weight.value()));
  EXPECT_TRUE(testing::identical(loaded.model->convolutions()[5]->weight.value(),
                                 source.convolutions()[5]->weight.value()));
  EXPECT_EQ(loaded.info.classes, placeholder_names(7));
  EXPECT_EQ(loaded.info.mean, sample_info().mean) << "what it expects of images stays";
}

TEST_F(PretrainedFile, AnAbsentHeadIsReplacedAndReportedOrMissed) {
  write([](Archive& archive) {
    archive.arrays.erase("classifier.1.weight");
    archive.arrays.erase("classifier.1.bias");
  });
  const Checkpoint loaded = load_checkpoint(path_, {.classes = 10, .seed = 2});
  expect_parts(loaded.notes[0], {"absent", "replaced", "10 classes"});
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }),
               {path_, "missing classifier.1.weight", "no head? edgeprune train --weights"});
}

TEST_F(PretrainedFile, AnythingElseThatDoesNotFitIsNamed) {
  write([](Archive& archive) {
    archive.arrays.erase("features.0.0.weight");
    archive.arrays["features.3.conv.2.weight"] = Array::from(Tensor({1, 2}, 0.0f));
    archive.arrays["surprise"] = Array::from(Tensor({1}, 0.0f));
  });
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_, {.classes = 10}); }),
               {path_, "missing features.0.0.weight", "features.3.conv.2.weight is F32 [1,2]",
                "surplus surprise"});
}

TEST_F(PretrainedFile, AnotherSizeOrWidthIsTakenOrRefusedWithAGuess) {
  save_checkpoint(path_, nn::Network(small(), 1), sample_info());
  const Checkpoint large = load_checkpoint(path_, {.input_size = 96});
  EXPECT_EQ(large.model->graph().input_size(), 96);
  EXPECT_EQ(large.info.classes, sample_info().classes);
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_, {.input_size = 31}); }),
               {path_, "input size from 32 to 4096, got 31"});
  EXPECT_EQ(load_checkpoint(path_, {.width = 0.25}).model->graph().width, 0.25);
  const std::string message = refusal<FileError>([&] { load_checkpoint(path_, {.width = 0.5}); });
  expect_parts(message, {path_, "features.0.0.weight is F32 [8,3,3,3], expected F32 [16,3,3,3]",
                         "more (width 0.25? pass --width 0.25)"});
  EXPECT_LT(message.size(), path_.size() + 400);
}

TEST_F(PretrainedFile, ForeignFilesAreRefused) {
  const std::string pth = folder_.file("model.pth");
  expect_parts(refusal<FileError>([&] { load_checkpoint(pth); }), {pth});
  std::ofstream(pth) << "no checkpoint";
  expect_parts(refusal<FileError>([&] { load_checkpoint(pth); }), {pth});
}

TEST(PretrainedShared, BothContainersGiveTheSameModel) {
  EDGEPRUNE_REQUIRE_SHARED("weights/mobilenet_v2-imagenet.pth");
  EDGEPRUNE_REQUIRE_SHARED("weights/mobilenet_v2-imagenet-legacy.pth");
  const auto load = [](const std::string& name) {
    return load_checkpoint(testing::shared_path("weights/" + name).string(),
                           {.classes = 10, .seed = 3});
  };
  const Checkpoint zip = load("mobilenet_v2-imagenet.pth"),
                   legacy = load("mobilenet_v2-imagenet-legacy.pth");
  const auto expected = zip.model->state_dict();
  for (const auto& [name, array] : legacy.model->state_dict()) {
    EXPECT_EQ(array.bytes, expected.at(name).bytes) << name;
  }
  EXPECT_NE(zip.notes.at(0).find("replaced"), std::string::npos) << zip.notes[0];
  EXPECT_EQ(zip.model->graph().width, 1.0);
}

}  // namespace
}  // namespace edgeprune
