#include "models/pth/state_dict.h"

#include <filesystem>

#include "tests/models/pth/pth_file_test.h"

namespace edgeprune {
namespace {

using namespace edgeprune::testing;

class StateDictFile : public PthFileTest {};
EDGEPRUNE_IN_BOTH_CONTAINERS(StateDictFile);

TEST_P(StateDictFile, OneLevelOfStateDictIsUnwrapped) {
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

TEST_P(StateDictFile, AveragedWeightsArePreferredAndItIsSaid) {
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

TEST_P(StateDictFile, ObjectsBesideTheWeightsArePassedOverNamedAndNotRun) {
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

TEST_P(StateDictFile, AWholeModuleGivesItsStoredTensors) {
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
  expect_rejected("(" + text("module") + "NNNtQ",
                  of_container("does not hold a dict of tensors", "id is not a storage"), {});
}

TEST_P(StateDictFile, AModuleOfTheOlderContainersKindIsReadToo) {
  const std::string named =
      "(" + text("module") + global("a", "Net") + text("net.py") + text("import os") + "tQ";
  const std::string net =
      named + ")\x81" +
      dict({{"_parameters", dict({{"w", parameter(tensor(kSixFloats, 0, {6}, {1}))}})},
            {"_modules", dict({})}}) +
      "b";
  EXPECT_EQ(floats(read(net).at("w")).size(), 6u);
}

TEST_P(StateDictFile, TorchScriptGivesTheTensorsAmongItsAttributes) {
  const std::string weight = tensor(kSixFloats, 0, {6}, {1});
  const auto scripted = [](const std::string& name, const Pairs& attributes) {
    return global("__torch__.torch.nn", name) + ")\x81" + dict(attributes) + "b";
  };
  const Archive archive = read(scripted(
      "Net", {{"training", "\x89"}, {"w", weight}, {"0", scripted("Linear", {{"w", weight}})}}));
  EXPECT_EQ(archive.arrays.size(), 2u);
  EXPECT_EQ(floats(archive.at("0.w")), floats(archive.at("w")));
  expect_rejected(scripted("Net", {{"training", "\x89"}}), "without any tensor (frozen?)", {});
}

TEST_P(StateDictFile, TheKeyOverrulesTheUsualEntries) {
  const auto state = [](int64_t offset) {
    return ordered_dict({{"a", tensor(kSixFloats, offset, {1}, {1})}});
  };
  const std::string file = file_of(dict({{"state_dict", state(1)},
                                         {"student", state(2)},
                                         {"inner", dict({{"best", state(3)}})},
                                         {"lr", integer(3)}}),
                                   kSix);
  const std::string path = folder_.file("keys.pth");
  write_bytes(path, file);
  EXPECT_EQ(floats(read_pth(path).at("a")), std::vector<float>{1});
  EXPECT_EQ(floats(read_pth(path, "student").at("a")), std::vector<float>{2});
  EXPECT_EQ(floats(read_pth(path, "inner.best").at("a")), std::vector<float>{3});
  const auto refusal = [&](const std::string& key) {
    return message_of<FileError>([&] { read_pth(path, key); });
  };
  EXPECT_EQ(refusal("teacher"),
            path + ": 'teacher' is not there: there are tensors under state_dict, student (--key)");
  EXPECT_NE(refusal("lr").find("'lr' holds no tensors: there"), std::string::npos);
  expect_rejected(dict({{"student", state(2)}}),
                  "entry 'student' is not a tensor: there are tensors under student (--key)");
}

TEST_P(StateDictFile, EntriesWithoutTensorsAreNotTakenForTheWeights) {
  const std::string state = ordered_dict({{"a", tensor(kSixFloats, 0, {6}, {1})}});
  const std::string settings = dict({{"width", "K\x01"}});
  EXPECT_EQ(read(dict({{"model", settings}, {"net", state}})).arrays.size(), 1u);
  EXPECT_EQ(read(dict({{"model_ema", state}, {"state_dict", settings}})).arrays.size(), 1u);
  const Archive archive = read(dict({{"a", tensor(kSixFloats, 0, {6}, {1})}, {"epoch", "K\x03"}}));
  EXPECT_EQ(archive.arrays.size(), 1u);
  ASSERT_EQ(archive.notes.size(), 1u);
  EXPECT_EQ(archive.notes[0], "passed over, as no tensors: epoch");
}

TEST_P(StateDictFile, ModulesThatHoldEachOtherAreRejected) {
  // A module that is its own child, 1000 times over: 1000^32 paths.
  std::string children = "(";
  for (int i = 0; i < 1000; ++i) children += text(std::to_string(i)) + "h\x07";
  const std::string cycle =
      global("a", "Net") + ")\x81q\x07}(" + text("_modules") + "}" + children + "uub";
  expect_rejected(cycle, "modules hold each other", {});
}

TEST_P(StateDictFile, OtherObjectsThanStateDictsAreRejected) {
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

}  // namespace
}  // namespace edgeprune
