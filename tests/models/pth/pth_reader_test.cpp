#include "models/pth/pth_reader.h"

#include <filesystem>
#include <limits>

#include "engine/base/file.h"
#include "tests/models/pth/pth_file_test.h"

namespace edgeprune {
namespace {

using namespace edgeprune::testing;

class PthReader : public PthFileTest {};
EDGEPRUNE_IN_BOTH_CONTAINERS(PthReader);

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

TEST_P(PthReader, TensorsThatAreTheSameStorageAsAWholeAllHoldIt) {
  const std::string whole = tensor(kSixFloats, 0, {2, 3}, {3, 1});
  const Archive archive = read(dict({{"a", whole}, {"b", whole}, {"c", whole}}));
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(floats(archive.at(name)), (std::vector<float>{0, 1, 2, 3, 4, 5})) << name;
  }
}

TEST_P(PthReader, EmptyStorageIsRead) {
  const Archive archive =
      read(dict({{"e", tensor(storage("FloatStorage", "k", 0), 0, {0}, {1})}}), {{"k", 0, ""}});
  EXPECT_EQ(archive.at("e").shape, Shape{0});
}

TEST_P(PthReader, OtherWaysToMakeATensorAreKnown) {
  const std::string v2 = global("torch._utils", "_rebuild_tensor_v2");
  const std::string arguments =
      tuple({kSixFloats, integer(1), integers({2}), integers({1}), "\x89", "N"});
  const std::string with_state = global("torch._tensor", "_rebuild_from_type_v2") +
                                 tuple({v2, global("torch", "Tensor"), arguments, dict({})}) + "R";
  const std::string with_attributes = global("torch._utils", "_rebuild_parameter_with_state") +
                                      tuple({v2 + arguments + "R", "\x88", "N", dict({})}) + "R";
  const std::string oldest = global("torch._utils", "_rebuild_tensor") +
                             tuple({kSixFloats, integer(1), integers({2}), integers({1})}) + "R";
  for (const std::string& code : {with_state, with_attributes, oldest}) {
    EXPECT_EQ(floats(read(dict({{"a", code}})).at("a")), (std::vector<float>{1, 2}));
  }
  const std::string untyped = tuple({text("storage"), global("torch.storage", "UntypedStorage"),
                                     text("k"), text("cpu"), integer(4)}) +
                              "Q";
  const auto typed = [&](const std::string& type) {
    return dict({{"a", global("torch._utils", "_rebuild_tensor_v3") +
                           tuple({untyped, integer(1), integers({2}), integers({1}), "\x89", "N",
                                  global("torch", type)}) +
                           "R"}});
  };
  const std::vector<StoredBytes> bytes = {{"k", 4, "\x00\x38\xc1\x7f"s}};
  EXPECT_EQ(floats(read(typed("float8_e4m3fn"), bytes).at("a").to_f32()),
            (std::vector<float>{1, -2.25}));
  expect_rejected(typed("uint16"), "leaves its storage of 2", bytes);
  expect_rejected(typed("float4"), "tensor 'a' is a tensor of another type, expected F32", bytes);
  expect_rejected(dict({{"a", tensor(untyped, 0, {4}, {1})}}), "torch.storage.UntypedStorage",
                  bytes);
  expect_rejected(dict({{"a", global("torch._utils", "_rebuild_qtensor") + arguments + "R"}}),
                  "entry 'a' is not a tensor but made by torch._utils._rebuild_qtensor");
}

TEST(PthZip, StoragesThatNoWantedTensorNeedsMayBeOfAnyType) {
  const TemporaryFolder folder;
  const std::string odd = tensor(storage("Int4Storage", "q", 3), 0, {3}, {1});
  const std::string state = dict({{"a", tensor(kSixFloats, 0, {6}, {1})}});
  const std::string file =
      zip_file(zip_entries(dict({{"optimizer", dict({{"m", odd}})}, {"model", state}}), kSix));
  EXPECT_EQ(read_bytes(folder, file).arrays.size(), 1u);
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

TEST_P(PthReader, HostileGlobalIsRejectedAndNotRun) {
  const std::string trace = folder_.file("owned");
  const std::string call = global("os", "system") + tuple({text("touch '" + trace + "'")}) + "R";
  expect_rejected(dict({{"a", call}}),
                  "entry 'a' is not a tensor but made by os.system, which is not run", {});
  EXPECT_FALSE(std::filesystem::exists(trace));
}

TEST_P(PthReader, OtherElementTypesAreRejectedByTensorAndType) {
  for (const auto& [type, size] : std::vector<std::pair<std::string, size_t>>{
           {"QInt32Storage", 4}, {"ComplexFloatStorage", 8}, {"QUInt8Storage", 1}}) {
    expect_rejected(dict({{"fc.weight", tensor(storage(type, "k", 3), 0, {3}, {1})}}),
                    "tensor 'fc.weight' is a torch." + type,
                    {{"k", 3, std::string(3 * size, 'x')}});
  }
  expect_rejected(dict({{"q", tensor(storage("Int4Storage", "k", 3), 0, {3}, {1})}}),
                  "storage type torch.Int4Storage is unknown", {{"k", 3, "xxx"}});
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
  expect_rejected(dict({{"a", tensor(kSixFloats, 0, {6}, {1})},
                        {"v", tensor(storage("FloatStorage", "k", 9), 0, {9}, {1})}}),
                  "storage 'k' is described in two ways");
}

TEST_P(PthReader, OddPersistentIdsAreRejected) {
  const std::string reason = of_container("entry 'w' is not a tensor", "id is not a storage");
  expect_rejected(dict({{"w", "NQ"}}), reason);
  expect_rejected(dict({{"w", tuple({text("module"), "N", "N", "N", "N"}) + "Q"}}), reason);
  expect_rejected(dict({{"w", tensor("NQ", 0, {6}, {1})}}), "persistent id is not a storage");
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
