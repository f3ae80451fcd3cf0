#include "models/pth/pth_reader.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/models/pth/pth_bytes.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using namespace edgeprune::testing;

Archive read_bytes(const TemporaryFolder& folder, const std::string& bytes) {
  const std::string path = folder.file("crafted.pth");
  write_bytes(path, bytes);
  return read_pth(path);
}

std::vector<float> floats(const Array& array) {
  const Tensor values = array.to_tensor("x");
  return {values.values().begin(), values.values().end()};
}

const std::vector<StoredBytes> kSix = {{"k", 6, raw(std::vector<float>{0, 1, 2, 3, 4, 5})}};
const std::string kSixFloats = storage("FloatStorage", "k", 6);

/// Whatever container holds them, the same objects are read.
class PthReader : public ::testing::TestWithParam<std::string> {
 protected:
  std::string file_of(const std::string& object, const std::vector<StoredBytes>& storages) const {
    return GetParam() == "zip" ? zip_file(zip_entries(object, storages))
                               : legacy_file(object, storages);
  }

  Archive read(const std::string& object, const std::vector<StoredBytes>& storages = kSix) const {
    return read_bytes(folder_, file_of(object, storages));
  }

  /// The object must be rejected, by a message that names the file and holds `reason`.
  void expect_rejected(const std::string& object, const std::string& reason,
                       const std::vector<StoredBytes>& storages = kSix) const {
    try {
      read(object, storages);
      ADD_FAILURE() << "accepted, expected: " << reason;
    } catch (const FileError& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with(folder_.file("crafted.pth: "))) << message;
      EXPECT_NE(message.find(reason), std::string::npos) << message;
    }
  }

  TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Containers, PthReader, ::testing::Values("zip", "legacy"),
                         [](const auto& instance) { return instance.param; });

TEST_P(PthReader, ReadsTensorsOfAllThreeTypes) {
  const Archive archive =
      read(ordered_dict({{"f", tensor(kSixFloats, 0, {2, 3}, {3, 1})},
                         {"i", tensor(storage("LongStorage", "n", 1), 0, {}, {})},
                         {"u", parameter(tensor(storage("ByteStorage", "b", 2), 0, {2}, {1}))}}),
           {kSix[0], {"n", 1, raw(int64_t{-3})}, {"b", 2, "hi"}});
  ASSERT_EQ(archive.arrays.size(), 3u);
  EXPECT_EQ(archive.at("f").shape, (Shape{2, 3}));
  EXPECT_EQ(floats(archive.at("f")), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(archive.at("i").to_int64("i"), -3);
  EXPECT_EQ(archive.at("i").shape, Shape{});
  EXPECT_EQ(archive.at("u").dtype, DType::u8);
  EXPECT_EQ(archive.at("u").bytes, (std::vector<std::byte>{std::byte{'h'}, std::byte{'i'}}));
  EXPECT_TRUE(archive.metadata.empty());
}

TEST_P(PthReader, StridesOffsetsAndSharedStoragesAreCopiedOut) {
  const Archive archive = read(dict({{"transposed", tensor(kSixFloats, 0, {3, 2}, {1, 3})},
                                     {"column", tensor(kSixFloats, 1, {2, 1}, {3, 1})},
                                     {"last", tensor(kSixFloats, 5, {}, {})},
                                     {"repeated", tensor(kSixFloats, 2, {2, 2}, {0, 1})},
                                     {"empty", tensor(kSixFloats, 0, {0, 3}, {3, 1})},
                                     {"single", tensor(kSixFloats, 4, {1, 1}, {1000, 1000})}}));
  EXPECT_EQ(floats(archive.at("transposed")), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(floats(archive.at("column")), (std::vector<float>{1, 4}));
  EXPECT_EQ(floats(archive.at("last")), std::vector<float>{5});
  EXPECT_EQ(floats(archive.at("repeated")), (std::vector<float>{2, 3, 2, 3}));
  EXPECT_EQ(archive.at("empty").shape, (Shape{0, 3}));
  EXPECT_TRUE(archive.at("empty").bytes.empty());
  EXPECT_EQ(floats(archive.at("single")), std::vector<float>{4});
}

TEST_P(PthReader, EmptyStorageIsRead) {
  const Archive archive =
      read(dict({{"e", tensor(storage("FloatStorage", "k", 0), 0, {0}, {1})}}), {{"k", 0, ""}});
  EXPECT_EQ(archive.at("e").shape, Shape{0});
}

TEST_P(PthReader, OneLevelOfStateDictIsUnwrapped) {
  const std::string state = ordered_dict({{"a", tensor(kSixFloats, 0, {6}, {1})}});
  const std::string other = tensor(storage("HalfStorage", "h", 1), 0, {1}, {1});
  const std::vector<StoredBytes> storages = {{"h", 1, "xx"}, kSix[0]};
  const Archive archive =
      read(dict({{"epoch", "K\x03"}, {"best", other}, {"state_dict", state}}), storages);
  ASSERT_EQ(archive.arrays.size(), 1u);
  EXPECT_EQ(floats(archive.at("a")).size(), 6u);
  expect_rejected(dict({{"state_dict", dict({{"state_dict", state}})}}),
                  "entry 'state_dict' is not a tensor");
  expect_rejected(dict({{"state_dict", "N"}}), "'state_dict' is not a dict", {});
  for (const std::string entry : {"model", "model_state_dict", "state_dict_ema"}) {
    EXPECT_EQ(read(dict({{"epoch", "K\x03"}, {entry, state}})).arrays.size(), 1u) << entry;
  }
  // A name for the network, not the network.
  EXPECT_EQ(
      read(dict({{"model", text("mobilenet_v2")}, {"model_state_dict", state}})).arrays.size(), 1u);
}

TEST_P(PthReader, AveragedWeightsArePreferredAndItIsSaid) {
  const auto state = [](int64_t offset) {
    return ordered_dict({{"a", tensor(kSixFloats, offset, {1}, {1})}});
  };
  const Archive archive = read(dict({{"state_dict", state(1)}, {"state_dict_ema", state(5)}}));
  EXPECT_EQ(floats(archive.at("a")), std::vector<float>{5});
  ASSERT_EQ(archive.notes.size(), 1u);
  EXPECT_NE(archive.notes[0].find("averaged weights are taken, 'state_dict_ema'"),
            std::string::npos);
  // Training without an average leaves the entry empty.
  const Archive plain = read(dict({{"state_dict", state(1)}, {"state_dict_ema", "N"}}));
  EXPECT_EQ(floats(plain.at("a")), std::vector<float>{1});
  EXPECT_TRUE(plain.notes.empty());
}

TEST_P(PthReader, ObjectsBesideTheWeightsArePassedOverNamedAndNotRun) {
  const std::string trace = folder_.file("owned");
  const std::string state = ordered_dict({{"a", tensor(kSixFloats, 0, {6}, {1})}});
  const std::string object = global("argparse", "Namespace") + ")\x81" + dict({{"lr", "N"}}) + "b";
  const std::string call = global("os", "system") + tuple({text("touch '" + trace + "'")}) + "R";
  const Archive archive =
      read(dict({{"state_dict", state}, {"args", object}, {"seed", call}, {"best", call + ")R"}}));
  EXPECT_EQ(archive.arrays.size(), 1u);
  ASSERT_EQ(archive.notes.size(), 1u);
  EXPECT_NE(archive.notes[0].find("argparse.Namespace, os.system"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(trace));
}

/// As torch.nn.Module pickles itself.
std::string module(const std::string& name, const Pairs& parameters, const Pairs& children) {
  return global("torch.nn", name) + ")\x81" +
         dict({{"training", "\x88"},
               {"_parameters", ordered_dict(parameters)},
               {"_buffers", ordered_dict({{"n", "N"}})},
               {"_modules", ordered_dict(children)}}) +
         "b";
}

TEST_P(PthReader, AWholeModuleGivesItsStoredTensors) {
  const std::string weight = parameter(tensor(kSixFloats, 0, {6}, {1}));
  const std::string net =
      module("Net", {{"w", weight}, {"bias", "N"}}, {{"0", module("Linear", {{"w", weight}}, {})}});
  for (const std::string& root : {net, dict({{"model", net}, {"epoch", "K\x03"}})}) {
    const Archive archive = read(root);
    ASSERT_EQ(archive.arrays.size(), 2u);
    EXPECT_EQ(floats(archive.at("0.w")), floats(archive.at("w")));
    ASSERT_EQ(archive.notes.size(), 1u);
    EXPECT_NE(archive.notes[0].find("holds a whole module, torch.nn.Net"), std::string::npos);
  }
  expect_rejected(global("a", "Net") + ")\x81" + dict({{"w", weight}}) + "b",
                  "does not hold a dict of tensors but a a.Net: save model.state_dict()");
  expect_rejected("(" + text("module") + "NNNtQ", "save model.state_dict(), not the model", {});
}

TEST_P(PthReader, ModulesThatHoldEachOtherAreRejected) {
  // A module that is its own child, 1000 times over: 1000^32 paths.
  std::string children = "(";
  for (int i = 0; i < 1000; ++i) children += text(std::to_string(i)) + "h\x07";
  const std::string cycle =
      global("a", "Net") + ")\x81q\x07}(" + text("_modules") + "}" + children + "uub";
  expect_rejected(cycle, "modules hold each other", {});
}

TEST_P(PthReader, ATensorThatTorchWouldChangeAfterwardsIsRejected) {
  expect_rejected(dict({{"a", tensor(kSixFloats, 0, {6}, {1}) + dict({}) + "b"}}),
                  "entry 'a' is not a tensor");
}

TEST_P(PthReader, HalvesAndDoublesKeepTheirBits) {
  const std::string half = "\x00\x3c\xff\x7b\x01\x00"s;  // 1, 65504, 2^-24
  const Archive archive = read(dict({{"h", tensor(storage("HalfStorage", "h", 3), 0, {3}, {1})},
                                     {"b", tensor(storage("BFloat16Storage", "b", 3), 0, {3}, {1})},
                                     {"d", tensor(storage("DoubleStorage", "d", 1), 0, {1}, {1})}}),
                               {{"h", 3, half}, {"b", 3, half}, {"d", 1, raw(0.1)}});
  EXPECT_EQ(archive.at("h").dtype, DType::f16);
  EXPECT_EQ(archive.at("b").dtype, DType::bf16);
  EXPECT_EQ(archive.at("d").dtype, DType::f64);
  EXPECT_EQ(floats(archive.at("h").to_f32()), (std::vector<float>{1, 65504, 0x1p-24f}));
  EXPECT_EQ(floats(archive.at("d").to_f32()), std::vector<float>{0.1f});
}

TEST_P(PthReader, OtherObjectsThanStateDictsAreRejected) {
  expect_rejected("N", "does not hold a dict of tensors", {});
  expect_rejected(list({}), "does not hold a dict of tensors", {});
  expect_rejected(dict({{"epoch", "K\x03"}}), "entry 'epoch' is not a tensor", {});
  expect_rejected(dict({{"a\nb", "N"}}), "entry 'a?b' is not a tensor", {});
  expect_rejected("}K\x01Ns", "key that is not a string", {});
  expect_rejected(dict({{"a", kSixFloats}}), "entry 'a' is not a tensor");
  expect_rejected(dict({{"a", global("torch", "FloatStorage") + ")R"}}),
                  "entry 'a' is not a tensor", {});
  const std::string six = tensor(kSixFloats, 0, {6}, {1});
  expect_rejected(dict({{"a", parameter(parameter(six))}}), "entry 'a' is not a tensor");
  expect_rejected(dict({{"a", six}, {"a", six}}), "state dict has 'a' twice");
}

TEST_P(PthReader, HostileGlobalIsRejectedAndNotRun) {
  const std::string trace = folder_.file("owned");
  const std::string call = global("os", "system") + tuple({text("touch '" + trace + "'")}) + "R";
  expect_rejected(dict({{"a", call}}),
                  "entry 'a' is not a tensor but made by os.system, which is not run", {});
  EXPECT_FALSE(std::filesystem::exists(trace));
}

TEST_P(PthReader, OtherElementTypesAreRejectedByTensorAndType) {
  for (const auto& [type, size] : std::vector<std::pair<std::string, size_t>>{
           {"IntStorage", 4}, {"ComplexFloatStorage", 8}, {"BoolStorage", 1}}) {
    expect_rejected(dict({{"fc.weight", tensor(storage(type, "k", 3), 0, {3}, {1})}}),
                    "tensor 'fc.weight' is a torch." + type,
                    {{"k", 3, std::string(3 * size, 'x')}});
  }
  expect_rejected(dict({{"q", tensor(storage("QInt8Storage", "k", 3), 0, {3}, {1})}}),
                  "storage type torch.QInt8Storage is unknown", {{"k", 3, "xxx"}});
}

TEST_P(PthReader, TensorsThatLeaveTheirStorageAreRejected) {
  const auto rejects = [&](int64_t offset, const std::vector<int64_t>& sizes,
                           const std::vector<int64_t>& strides, const std::string& reason) {
    expect_rejected(dict({{"w", tensor(kSixFloats, offset, sizes, strides)}}), reason);
  };
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  rejects(0, {7}, {1}, "tensor 'w' [7] with strides [1] from element 0 leaves its storage of 6");
  rejects(1, {6}, {1}, "leaves its storage");
  rejects(6, {}, {}, "leaves its storage");
  rejects(0, {2, 3}, {4, 1}, "leaves its storage");
  rejects(kMax, {2}, {kMax}, "leaves its storage");
  rejects(kMax, {3, 3}, {kMax, kMax}, "leaves its storage");
  rejects(0, {5, 5}, {kMax / 2, kMax / 2}, "leaves its storage");
  rejects(-1, {2}, {1}, "negative offset");
  rejects(0, {-2}, {1}, "not a natural number");
  rejects(5, {2}, {-1}, "not a natural number");
  rejects(0, {2, 3}, {1}, "2 sizes and 1 strides");
  rejects(0, std::vector<int64_t>(65, 1), std::vector<int64_t>(65, 1), "65 sizes");
  rejects(0, {kMax, kMax}, {0, 0}, "too large");
}

TEST_P(PthReader, TensorsMuchLargerThanTheFileAreRejected) {
  expect_rejected(dict({{"w", tensor(kSixFloats, 0, {int64_t{1} << 40}, {0})}}),
                  "times as large as the file, at 'w'");
  Pairs many;
  for (int i = 0; i < 200; ++i)
    many.emplace_back(std::to_string(i), tensor(kSixFloats, 0, {10'000}, {0}));
  expect_rejected(dict(many), "times as large as the file");
}

/// Each would take time and memory for every tensor that shares the one long thing.
TEST_P(PthReader, WhatTensorsShareCannotBeLong) {
  const std::string long_tuple = "(" + std::string(100'000, ')') + "t";
  const auto with_sizes = [&](const std::string& sizes) {
    return dict({{"w", global("torch._utils", "_rebuild_tensor_v2") +
                           tuple({kSixFloats, integer(0), sizes, sizes, "\x89", "N"}) + "R"}});
  };
  expect_rejected(with_sizes(long_tuple),
                  "tensor 'w' has 100000 sizes or strides, at most 8 expected");
  const std::string key(257, 'k');
  expect_rejected(dict({{"w", tensor(storage("FloatStorage", key, 6), 0, {6}, {1})}}),
                  "key of 257 bytes", {{key, 6, kSix[0].bytes}});
}

TEST_P(PthReader, StorageThatDoesNotMatchItsDescriptionIsRejected) {
  const std::string state = dict({{"w", tensor(kSixFloats, 0, {6}, {1})}});
  expect_rejected(state, "", {});
  expect_rejected(state, "", {{"other", 6, kSix[0].bytes}});
  expect_rejected(state, "storage 'k' has", {{"k", 5, kSix[0].bytes.substr(4)}});
  const std::string claims = storage("FloatStorage", "k", std::numeric_limits<int64_t>::max());
  expect_rejected(dict({{"w", tensor(claims, 0, {6}, {1})}}),
                  "claims 9223372036854775807 elements");
  expect_rejected(dict({{"w", tensor(storage("FloatStorage", "k", -1), 0, {6}, {1})}}),
                  "not a storage");
  expect_rejected(dict({{"w", tensor(kSixFloats, 0, {6}, {1})},
                        {"v", tensor(storage("LongStorage", "k", 3), 0, {3}, {1})}}),
                  "storage 'k' is described in two ways");
  expect_rejected(dict({{"w", tensor(kSixFloats, 0, {6}, {1})},
                        {"v", tensor(storage("FloatStorage", "k", 9), 0, {9}, {1})}}),
                  "storage 'k' is described in two ways");
}

TEST_P(PthReader, OddPersistentIdsAreRejected) {
  expect_rejected(dict({{"w", "NQ"}}), "persistent id is not a storage");
  expect_rejected(dict({{"w", tuple({text("module"), "N", "N", "N", "N"}) + "Q"}}),
                  "not a storage");
  const std::string view = storage("FloatStorage", "k", 6, {tuple({text("k"), "K\x01", "K\x02"})});
  expect_rejected(dict({{"w", tensor(view, 0, {6}, {1})}}), "view of another one");
  const std::string plain = storage("FloatStorage", "k", 6, {"N"});
  EXPECT_EQ(read(dict({{"w", tensor(plain, 0, {6}, {1})}})).arrays.size(), 1u);
}

TEST_P(PthReader, TruncationAtEveryByteIsRejected) {
  const std::string whole =
      file_of(ordered_dict({{"w", tensor(kSixFloats, 0, {2, 3}, {3, 1})}}), kSix);
  EXPECT_NO_THROW(read_bytes(folder_, whole));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(read_bytes(folder_, whole.substr(0, length)), FileError) << length;
  }
}

TEST_P(PthReader, DamageAtAnyByteIsReadOrRejectedButNeverWorse) {
  const std::string whole =
      file_of(ordered_dict({{"w", parameter(tensor(kSixFloats, 0, {2, 3}, {3, 1}))}}) +
                  dict({{"_metadata", "N"}}) + "b",
              kSix);
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x04, 0x20, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      try {
        read_bytes(folder_, damaged);
      } catch (const FileError&) {
      }
    }
  }
}

TEST(ReadPth, ForeignOrMissingFilesAreRejected) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_pth(folder.file("absent")), FileError);
  EXPECT_THROW(read_pth(folder.path()), FileError);
  for (const std::string& bytes :
       {""s, "PK"s, "\x80\x02"s, "\x89PNG\r\n"s, std::string(1000, '\0'), "\x80\x02}."s}) {
    EXPECT_THROW(read_bytes(folder, bytes), FileError) << bytes;
  }
}

TEST(ReadPth, BothContainersOfTheRealWeightsHoldTheSame) {
  EDGEPRUNE_REQUIRE_SHARED("weights/mobilenet_v2-imagenet.pth");
  const Archive zip = read_pth(shared_path("weights/mobilenet_v2-imagenet.pth"));
  const Archive legacy = read_pth(shared_path("weights/mobilenet_v2-imagenet-legacy.pth"));
  EXPECT_EQ(zip.arrays.size(), 312u);
  ASSERT_EQ(legacy.arrays.size(), 312u);
  int64_t parameters = 0;
  for (const auto& [name, array] : zip.arrays) {
    EXPECT_EQ(array.shape, legacy.at(name).shape) << name;
    EXPECT_EQ(array.dtype, legacy.at(name).dtype) << name;
    EXPECT_EQ(array.bytes, legacy.at(name).bytes) << name;
    if (name.ends_with("weight") || name.ends_with("bias")) parameters += array.shape.count();
  }
  EXPECT_EQ(parameters, 2'236'682 - (1280 * 10 + 10));  // all of the network but its head
  EXPECT_EQ(zip.at("features.0.0.weight").shape, (Shape{32, 3, 3, 3}));
  EXPECT_EQ(zip.at("features.18.1.num_batches_tracked").shape, Shape{});
}

TEST(ReadPth, TruncatedRealWeightsAreRejected) {
  EDGEPRUNE_REQUIRE_SHARED("weights/mobilenet_v2-imagenet.pth");
  const TemporaryFolder folder;
  for (const char* name :
       {"weights/mobilenet_v2-imagenet.pth", "weights/mobilenet_v2-imagenet-legacy.pth"}) {
    const std::vector<char> whole = read_file(shared_path(name));
    for (const size_t left :
         {size_t{40}, size_t{200}, size_t{50'000}, whole.size() / 2, whole.size() - 1}) {
      EXPECT_THROW(read_bytes(folder, std::string(whole.data(), left)), FileError) << left;
    }
  }
}

}  // namespace
}  // namespace edgeprune
