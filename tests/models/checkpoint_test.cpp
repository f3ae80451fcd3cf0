#include "models/checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/nn/network.h"
#include "engine/tensor/safetensors.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "tests/models/checkpoint_file.h"
#include "tests/support/old_architecture.h"
#include "tests/support/paths.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::CheckpointFile;
using testing::expect_parts;
using testing::refusal;
using testing::sample_info;
using testing::small;

TEST_F(CheckpointFile, ComesBackBitForBit) {
  nn::Network model(small(), 1);
  model.norms()[3]->num_batches_tracked = 7;
  model.norms()[3]->state.running_mean.fill(0.123f);
  save_checkpoint(path_, model, sample_info());
  const Checkpoint loaded = load_checkpoint(path_);
  const auto expected = model.state_dict(), actual = loaded.model->state_dict();
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, array] : expected) EXPECT_EQ(actual.at(name).bytes, array.bytes) << name;
  EXPECT_EQ(nlohmann::json(loaded.model->graph()), nlohmann::json(small()));
  const ModelInfo info = sample_info();
  EXPECT_EQ(loaded.info.mean, info.mean);
  EXPECT_EQ(loaded.info.std, info.std);
  EXPECT_EQ(loaded.info.classes, info.classes);
  EXPECT_EQ(loaded.info.history, info.history);
  EXPECT_EQ(loaded.sha256, sha256_of_file(path_));
}

TEST_F(CheckpointFile, PaddingOfTensorFlowIsRefusedAtSizesThatItIsNotFor) {
  write_safetensors(path_, {nn::Network(mobilenet_v2(0.25, 64), 1).state_dict(), {}});
  const auto direct = [&](int64_t pixels) {
    return load_checkpoint(path_, {.input_size = pixels, .trained_in = TrainedIn::tensorflow});
  };
  const Checkpoint at_64 = direct(64);
  const std::string imported = folder_.file("imported.safetensors");
  save_checkpoint(imported, *at_64.model, at_64.info);
  for (const int64_t pixels : {0, 64, 96, 128, 224}) {
    const Checkpoint loaded = load_checkpoint(imported, {.input_size = pixels});
    const Checkpoint expected = direct(pixels);
    EXPECT_EQ(nlohmann::json(loaded.model->graph()), nlohmann::json(expected.model->graph()));
    EXPECT_EQ(loaded.model->state_dict().at("features.0.0.weight").bytes,
              expected.model->state_dict().at("features.0.0.weight").bytes);
    EXPECT_TRUE(loaded.info.same_padding) << "what is written next says so, too";
  }
  for (const int64_t pixels : {33, 48, 72, 80, 100}) {
    const auto size = std::to_string(pixels);
    expect_parts(
        refusal<FileError>([&] { load_checkpoint(imported, {.input_size = pixels}); }),
        {imported, "built in for 64x64 images", "another for " + size + "x" + size, "(node '"});
  }
}

TEST_F(CheckpointFile, TheWidthThatItHasChangesNothing) {
  write_safetensors(path_, {nn::Network(mobilenet_v2(0.25, 64), 1).state_dict(), {}});
  for (const TrainedIn where : {TrainedIn::tensorflow, TrainedIn::pytorch}) {
    const Checkpoint imported = load_checkpoint(path_, {.trained_in = where});
    Graph graph = imported.model->graph();
    std::get<kind::BatchNorm>(graph.nodes[2].kind).eps = 0.002f;
    nn::Network model(graph);
    model.load_state_dict(imported.model->state_dict());
    const std::string own = folder_.file("own.safetensors");
    save_checkpoint(own, model, imported.info);
    for (const double width : {0.25, 0.2501}) {
      if (where == TrainedIn::tensorflow && width != 0.25)
        continue;  // refused by the kernels' sizes
      EXPECT_EQ(nlohmann::json(load_checkpoint(own, {.width = width}).model->graph()),
                nlohmann::json(graph))
          << width;
    }
  }
}

TEST_F(CheckpointFile, WhereItWasTrainedIsNotForOursToBeTold) {
  save_checkpoint(path_, nn::Network(small(), 1), sample_info());
  for (const TrainedIn where : {TrainedIn::tensorflow, TrainedIn::pytorch}) {
    expect_parts(refusal<FileError>([&] { load_checkpoint(path_, {.trained_in = where}); }),
                 {path_, "--trained-in is for weights alone; a checkpoint of edgeprune's says"});
  }
}

/// Half of the prunable weights are zero.
struct HalfZero : nn::Network {
  HalfZero() : nn::Network(small(), 1) {
    for (PrunableWeight& weight : prunable_weights(*this)) {
      Tensor& tensor = weight.variable.value();
      for (int64_t i = 0; i < tensor.count(); i += 2) tensor.data()[i] = 0;
    }
  }
};

TEST_F(CheckpointFile, KeepsHowImagesAreResizedAndWithoutThatIsOfBefore) {
  for (const Resize how : values_in(kResizes)) {
    ModelInfo info = sample_info();
    info.resize = how;
    save_checkpoint(path_, nn::Network(small(), 1), info);
    EXPECT_EQ(load_checkpoint(path_).info.resize, how);
  }
  write([](Archive& archive) { archive.metadata.erase("resize"); });
  EXPECT_EQ(load_checkpoint(path_).info.resize, Resize::plain);
  write([](Archive& archive) { archive.metadata["resize"] = "\"stretch\""; });
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_, "squash", "stretch"});
}

TEST_F(CheckpointFile, StoredSparseItIsSmallerAndComesBackBitForBit) {
  const HalfZero model;
  save_checkpoint(path_, model, sample_info());
  const auto dense = static_cast<int64_t>(std::filesystem::file_size(path_));
  EXPECT_EQ(checkpoint_bytes(model, sample_info(), Storage::dense), dense);
  save_checkpoint(path_, model, sample_info(), Storage::sparse);
  const auto sparse = static_cast<int64_t>(std::filesystem::file_size(path_));
  EXPECT_EQ(checkpoint_bytes(model, sample_info(), Storage::sparse), sparse);
  EXPECT_NEAR(double(dense - sparse), summarize(model).prunable * (2 - 0.125), 0.02 * dense);
  const Checkpoint loaded = load_checkpoint(path_);
  const auto actual = loaded.model->state_dict();
  for (const auto& [name, array] : model.state_dict()) {
    EXPECT_EQ(actual.at(name).bytes, array.bytes) << name;
  }
  EXPECT_EQ(loaded.info.history, sample_info().history);
}

TEST_F(CheckpointFile, DamagedSparseOnesAreRefused) {
  save_checkpoint(path_, HalfZero(), sample_info(), Storage::sparse);
  Archive archive = read_safetensors(path_);
  archive.arrays.at("features.0.0.weight.mask").bytes[0] ^= std::byte{1};
  write_safetensors(path_, archive);
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }),
               {path_, "features.0.0.weight", "mask"});
}

TEST_F(CheckpointFile, EqualModelsMakeEqualFiles) {
  const std::string other = folder_.file("other.safetensors");
  save_checkpoint(path_, nn::Network(small(), 1), sample_info());
  save_checkpoint(other, nn::Network(small(), 1), sample_info());
  EXPECT_EQ(sha256_of_file(path_), sha256_of_file(other));
}

TEST_F(CheckpointFile, MissingTruncatedAndForeignFilesAreRefused) {
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_});
  save_checkpoint(path_, nn::Network(small(), 1), sample_info());
  const std::vector<char> whole = read_file(path_);
  for (const size_t size :
       {size_t{0}, size_t{7}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(path_, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(size));
    expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_});
  }
  std::ofstream(path_) << "Not a checkpoint at all, but long enough to be taken for a header.";
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_});
}

TEST_F(CheckpointFile, OtherVersionsOfTheFormatAreRefused) {
  write([](Archive& archive) { archive.metadata["format"] = "edgeprune/3"; });
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }),
               {path_, "edgeprune/1", "edgeprune/2", "'edgeprune/3'"});
}

TEST_F(CheckpointFile, OfBeforeThereWereGraphsComesBackBitForBit) {
  const auto as_before = [&](const nn::Network& model, const nlohmann::json& architecture) {
    save_checkpoint(path_, model, sample_info());
    Archive archive = read_safetensors(path_);
    archive.metadata.erase("graph");
    archive.metadata["architecture"] = architecture.dump();
    write_safetensors(path_, archive);
    const auto loaded = load_checkpoint(path_).model;
    EXPECT_EQ(nlohmann::json(loaded->graph()), nlohmann::json(model.graph()));
    const auto expected = model.state_dict(), actual = loaded->state_dict();
    for (const auto& [name, array] : expected) EXPECT_EQ(actual.at(name).bytes, array.bytes);
  };
  as_before(nn::Network(small(), 1), testing::old_architecture());
  auto compacted = testing::old_architecture();
  compacted["last"] = 77;
  compacted["blocks"][5]["hidden"] = 3;
  as_before(nn::Network(mobilenet_v2_of(compacted), 1), compacted);
}

TEST_F(CheckpointFile, AGraphThatIsNoneIsRefusedByNodeAndShapes) {
  const auto says = [&](const std::string& pointer, const nlohmann::json& value,
                        const std::vector<std::string>& parts) {
    write([&](Archive& archive) {
      auto graph = nlohmann::json::parse(archive.metadata["graph"]);
      graph[nlohmann::json::json_pointer(pointer)] = value;
      archive.metadata["graph"] = graph.dump();
    });
    const std::string message = refusal<FileError>([&] { load_checkpoint(path_); });
    expect_parts(message, parts);
    expect_parts(message, {path_});
  };
  says("/nodes/1/inputs/0", "classifier.1", {"node 'features.0.0'", "a cycle"});
  says("/nodes/1/inputs/0", "nowhere", {"node 'features.0.0' reads 'nowhere', which is missing"});
  says("/nodes/1/kind", "fourier", {"node 'features.0.0': unknown kind 'fourier'"});
  says("/nodes/7/out_channels", 5, {"node 'features.1' (add)", "[8,16,16] and [5,16,16]"});
  says("/nodes/0/channels", 4, {"expected square images of 3 channels, got 4 of 32x32"});
  says("/nodes/0/width", 40, {"expected square images of 3 channels, got 3 of 32x40"});
  says("/nodes/0/height", 31, {"expected square images"});
  says("/width", 17, {"expected a width in (0, 16], got 17"});
}

TEST_F(CheckpointFile, DamagedMetadataIsRefused) {
  for (const char* key : {"graph", "normalisation", "classes", "history"}) {
    write([&](Archive& archive) { archive.metadata.erase(key); });
    expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_, key});
    write([&](Archive& archive) { archive.metadata[key] = "{"; });
    expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_, "damaged metadata"});
  }
  for (const char* key : {"graph", "normalisation", "classes"}) {
    write([&](Archive& archive) { archive.metadata[key] = "7"; });
    expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_, "damaged metadata"});
  }
}

TEST_F(CheckpointFile, MetadataThatNestsDeeplyIsRefused) {
  write([](Archive& archive) {
    archive.metadata["history"] = R"([{"step":)" + std::string(1'000'000, '[');
  });
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }),
               {path_, "damaged metadata 'history'", "nests too deeply"});
}

TEST_F(CheckpointFile, MetadataThatCannotBeTrueIsRefused) {
  for (const char* history :
       {R"([{"step": 3}])", R"([{"pruned": "yes"}])", R"([{"step": "prune", "method": {}}])"}) {
    write([&](Archive& archive) { archive.metadata["history"] = history; });
    expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_, "damaged metadata"});
  }
  write([](Archive& archive) {
    archive.metadata["normalisation"] = R"({"mean": [0, 0, 0], "std": [1, 0, 1]})";
  });
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }),
               {path_, "a standard deviation of 0"});
}

/// Of which only a sliver is there: each would take gigabytes.
TEST_F(CheckpointFile, NetworksFarLargerThanTheFileAreRefused) {
  const auto refused_with = [&](const std::function<void(nlohmann::json&)>& change) {
    write([&](Archive& archive) {
      auto graph = nlohmann::json::parse(archive.metadata["graph"]);
      change(graph);
      archive.metadata["graph"] = graph.dump();
      // Bytes are not weights.
      archive.arrays["bytes"] = {DType::u8, Shape{1 << 20}, std::vector<std::byte>(1 << 20)};
    });
    expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_, "it describes"});
  };
  const auto node = [](nlohmann::json& graph, const std::string& name) -> nlohmann::json& {
    for (auto& entry : graph["nodes"]) {
      if (entry["name"] == name) return entry;
    }
    throw std::runtime_error("no node " + name);
  };
  refused_with([&](auto& graph) { node(graph, "features.18.0")["out_channels"] = 1 << 20; });
  refused_with([&](auto& graph) { node(graph, "features.17.conv.0.0")["out_channels"] = 1 << 20; });
  refused_with([&](auto& graph) {  // 5000 layers of a thousand channels
    auto& nodes = graph["nodes"];
    nlohmann::json wide = node(graph, "features.18.0"),
                   tail = {nodes[nodes.size() - 3], nodes[nodes.size() - 2],
                           nodes[nodes.size() - 1]};
    nodes.erase(nodes.begin() + 1, nodes.end());
    wide["out_channels"] = 1000;
    for (int i = 0; i < 5000; ++i) {
      wide["inputs"] = {nodes.back()["name"]};
      wide["name"] = "wide" + std::to_string(i);
      nodes.push_back(wide);
    }
    tail[0]["inputs"] = {nodes.back()["name"]};
    nodes.insert(nodes.end(), tail.begin(), tail.end());
  });
  write([](Archive& archive) {
    archive.metadata.erase("graph");
    auto old = testing::old_architecture();
    old["last"] = 1 << 20;
    archive.metadata["architecture"] = old.dump();
  });
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }), {path_, "it describes"});
}

TEST_F(CheckpointFile, ClassNamesMustFitTheHead) {
  write([](Archive& archive) { archive.metadata["classes"] = R"(["cat","dog"])"; });
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }),
               {path_, "2 class names for 10 classes"});
}

TEST_F(CheckpointFile, TensorsThatDoNotFitAreAllNamed) {
  write([](Archive& archive) {
    archive.arrays.erase("features.0.0.weight");
    archive.arrays.erase("classifier.1.bias");
    archive.arrays["surprise"] = Array::from(Tensor({1}, 0.0f));
  });
  expect_parts(refusal<FileError>([&] { load_checkpoint(path_); }),
               {"missing features.0.0.weight", "missing classifier.1.bias", "surplus surprise"});
}

TEST_F(CheckpointFile, CannotBeWrittenWhereThereIsNoFolder) {
  EXPECT_THROW(
      save_checkpoint(folder_.file("no/where.safetensors"), nn::Network(small(), 1), sample_info()),
      FileError);
}

TEST(ModelInfo, TellsTheLastPruning) {
  ModelInfo info = sample_info();
  EXPECT_EQ(info.pruned_by(), "magnitude");
  info.history.push_back({{"step", "prune"}, {"method", "channel"}});
  info.history.push_back({{"step", "train"}});
  EXPECT_EQ(info.pruned_by(), "channel");
  EXPECT_EQ(ModelInfo{}.pruned_by(), "none");
}

TEST(ModelInfo, KnowsItsPlaceholders) {
  ModelInfo info;
  info.classes = placeholder_names(3);
  EXPECT_EQ(info.classes, (std::vector<std::string>{"class 0", "class 1", "class 2"}));
  EXPECT_TRUE(info.has_placeholder_names());
  info.classes[1] = "dog";
  EXPECT_FALSE(info.has_placeholder_names());
}

}  // namespace
}  // namespace edgeprune
