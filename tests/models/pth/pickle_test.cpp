#include "models/pth/pickle.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/models/pth/pth_bytes.h"

namespace edgeprune::pickle {
namespace {

using namespace edgeprune::testing;

Pickle load(const std::string& bytes) {
  ByteCursor cursor(std::as_bytes(std::span(bytes)), "f.pth");
  return unpickle(cursor);
}

/// The one value a pickle of `code` holds.
template <typename T>
T load_as(const std::string& code) {
  const Pickle pickle = load(pickled(code));
  const T* value = as<T>(pickle.root);
  EXPECT_NE(value, nullptr);
  return value != nullptr ? *value : T{};
}

/// The code must be rejected, by a message that holds `reason` and is one line.
void expect_rejected(const std::string& code, const std::string& reason) {
  try {
    load(pickled(code));
    ADD_FAILURE() << "accepted, expected: " << reason;
  } catch (const FileError& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with("f.pth: ")) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(Pickle, ReadsIntegersOfEveryWidth) {
  EXPECT_EQ(load_as<int64_t>("K\xff"), 255);
  EXPECT_EQ(load_as<int64_t>("M\x34\x12"), 0x1234);
  EXPECT_EQ(load_as<int64_t>(integer(-7)), -7);
  EXPECT_EQ(load_as<int64_t>("\x8a\x00"s), 0);
  EXPECT_EQ(load_as<int64_t>("\x8a\x01\xff"), -1);
  EXPECT_EQ(load_as<int64_t>("\x8a\x05\x00\x00\x00\x00\x01"s), int64_t{1} << 32);
  EXPECT_EQ(load_as<int64_t>(integer(-(int64_t{1} << 40))), -(int64_t{1} << 40));
}

TEST(Pickle, ReadsOtherScalars) {
  EXPECT_EQ(load_as<bool>("\x88"), true);
  EXPECT_EQ(load_as<bool>("\x89"), false);
  EXPECT_EQ(load_as<double>("G\x3f\xf8\x00\x00\x00\x00\x00\x00"s), 1.5);
  EXPECT_EQ(load_as<std::string>(text("weight")), "weight");
  EXPECT_EQ(load_as<std::string>("U\x02hi"), "hi");
  EXPECT_EQ(load_as<std::string>("T\x02\0\0\0hi"s), "hi");
  load_as<None>("N");
}

TEST(Pickle, ReadsContainers) {
  const Pickle pickle = load(pickled(dict({{"t", "K\x01K\x02\x86"},
                                           {"l",
                                            "]K\x03"
                                            "a(K\x04K\x05"
                                            "e"}})));
  const Dict* entries = as<Dict>(pickle.root);
  ASSERT_NE(entries, nullptr);
  ASSERT_EQ(entries->items.size(), 2u);
  EXPECT_EQ(*as<std::string>(entries->items[0].first), "t");
  const Tuple* pair = as<Tuple>(entries->items[0].second);
  ASSERT_TRUE(pair != nullptr && pair->items.size() == 2);
  EXPECT_EQ(*as<int64_t>(pair->items[1]), 2);
  const List* numbers = as<List>(entries->items[1].second);
  ASSERT_TRUE(numbers != nullptr && numbers->items.size() == 3);
  EXPECT_EQ(*as<int64_t>(numbers->items[2]), 5);
}

TEST(Pickle, MemoGivesTheSameValueAgain) {
  const std::string wide_index = "\x00\x01\x00\x00"s;
  const Pickle pickle =
      load(pickled("(" + text("x") + "q\x07h\x07r" + wide_index + "j" + wide_index + "t"));
  const Tuple* all = as<Tuple>(pickle.root);
  ASSERT_TRUE(all != nullptr && all->items.size() == 3);
  EXPECT_EQ(all->items[0], all->items[1]);
  EXPECT_EQ(all->items[0], all->items[2]);
}

TEST(Pickle, CyclesAreHarmless) {
  const Pickle pickle =
      load(pickled("]q\x00h\x00"
                   "a"s));  // a list that holds itself
  EXPECT_EQ(as<List>(pickle.root)->items.at(0), pickle.root);
}

TEST(Pickle, DeepNestingNeedsNoStack) {
  EXPECT_EQ(load_as<Tuple>(")" + std::string(1'000'000, '\x85')).items.size(), 1u);
}

TEST(Pickle, OrderedDictIsADictAndItsAttributesAreDropped) {
  const std::string metadata = dict({{"_metadata", ordered_dict({})}});
  const Dict with_attributes = load_as<Dict>(ordered_dict({{"a", "N"}}) + metadata + "b");
  EXPECT_EQ(with_attributes.items.size(), 1u);
  const std::string pairs = list({list({text("a"), "K\x01"}), list({text("b"), "K\x02"})});
  EXPECT_EQ(load_as<Dict>(global("collections", "OrderedDict") + tuple({pairs}) + "R").items.size(),
            2u);
}

TEST(Pickle, CallsAreRecordedNotMade) {
  const Pickle pickle = load(pickled(tensor(storage("FloatStorage", "k", 4), 1, {3}, {1})));
  const Call* call = as<Call>(pickle.root);
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(call->function->name, "torch._utils._rebuild_tensor_v2");
  EXPECT_EQ(call->arguments->items.size(), 6u);
  ASSERT_EQ(pickle.persistent_ids.size(), 1u);
  EXPECT_EQ(as<PersistentId>(call->arguments->items[0]), pickle.persistent_ids[0]);
}

TEST(Pickle, CursorStopsAfterThePickle) {
  const std::string bytes = pickled("K\x01") + pickled("K\x02") + "data";
  ByteCursor cursor(std::as_bytes(std::span(bytes)), "f.pth");
  unpickle(cursor);
  EXPECT_EQ(*as<int64_t>(unpickle(cursor).root), 2);
  EXPECT_EQ(cursor.text(4), "data");
}

TEST(Pickle, ForeignCallsAreRecordedNotMade) {
  const std::string trace = std::filesystem::temp_directory_path() / "edgeprune-pickle-owned";
  std::filesystem::remove(trace);
  const Call call = load_as<Call>(global("os", "system") + tuple({text("touch " + trace)}) + "R");
  EXPECT_FALSE(std::filesystem::exists(trace));
  EXPECT_EQ(call.state, nullptr);
}

TEST(Pickle, ObjectsKeepTheirClassAndState) {
  const Pickle pickle =
      load(pickled(global("argparse", "Namespace") + ")\x81" + dict({{"lr", "K\x01"}}) + "b"));
  const Call* object = as<Call>(pickle.root);
  ASSERT_NE(object, nullptr);
  EXPECT_EQ(object->function->name, "argparse.Namespace");
  ASSERT_NE(object->state, nullptr);
  EXPECT_EQ(as<Dict>(object->state)->items.size(), 1u);
}

TEST(Pickle, WhatCannotBeInterpretedIsOpaque) {
  load_as<Opaque>("\x8a\x09" + std::string(9, '\1'));  // an integer of 9 bytes
  const std::string call = global("a", "b") + ")R";
  load_as<Opaque>(call + ")R");     // of what a call gives
  load_as<Opaque>(call + ")\x81");  // an object of that
  load_as<Opaque>(call + ")R" + dict({}) + "b");
  // Items of a class of its own are dropped.
  load_as<Call>(call + set_items({{"k", "N"}}) + "(N" + "e");
}

TEST(Pickle, ForeignOpcodesAreRejectedByName) {
  expect_rejected("(ios\nsystem\n", "opcode 0x69");  // INST
  expect_rejected("I1\n", "opcode 0x49");            // protocol 0
  expect_rejected("\x82\x01", "opcode 0x82");        // EXT1
  expect_rejected("\x97", "opcode 0x97");            // NEXT_BUFFER
  expect_rejected("\x80\x06N", "protocol 6, expected 2 to 5");
  expect_rejected("\x80\x01N", "protocol 1, expected 2 to 5");
}

TEST(Pickle, MisusedOpcodesAreRejected) {
  expect_rejected("", "1 values needed, 0 on the stack");
  expect_rejected("t", "no mark");
  expect_rejected("K\x01(\x85", "1 values needed, 0 on the stack");  // reaches below a mark
  expect_rejected("(u", "dict expected, stack is empty");
  expect_rejected("}(Nu", "key without a value");
  expect_rejected("](NNu", "dict expected, found something else");
  expect_rejected("}(Ne", "list expected, found something else");
  expect_rejected("h\x05", "memo has no entry 5");
  expect_rejected("q\x05", "nothing to memoize");
  expect_rejected("N)R", "call of something other than a global");
  expect_rejected(global("torch", "FloatStorage") + "]R", "call of something other than a global");
  expect_rejected(tuple({}) + dict({}) + "b", "OrderedDict expected");
  expect_rejected(global("collections", "OrderedDict") + "N\x85R", "something else than pairs");
  expect_rejected(global("collections", "OrderedDict") + list({"N"}) + "\x85R",
                  "something else than pairs");
  expect_rejected("NN\x93", "names are no strings");
  expect_rejected("N(N\x90", "set expected, found something else");
  expect_rejected("\x95" + raw(uint64_t{1000}) + "N", "a frame that is longer than the file");
  expect_rejected("N)\x81", "object of something other than a global");
  expect_rejected(global("a", "b") + "N\x81", "object of something other than a global");
}

TEST(Pickle, ReadsWhatProtocols3To5Add) {
  EXPECT_EQ(load_as<std::string>("\x8c\x02hi"), "hi");
  EXPECT_EQ(load_as<std::string>("\x8d" + raw(uint64_t{2}) + "hi"), "hi");
  EXPECT_EQ(load_as<int64_t>("\x8b" + raw(uint32_t{2}) + "\x01\x02"), 0x201);
  for (const std::string& bytes :
       {"C\x02hi"s, "B" + raw(uint32_t{2}) + "hi", "\x8e" + raw(uint64_t{2}) + "hi",
        "\x96" + raw(uint64_t{2}) + "hi", "\x8f(NN\x90"s, "(NN\x91"s}) {
    load_as<Opaque>(bytes);
  }
  EXPECT_EQ(load_as<Global>(text("torch") + text("Size") + "\x93").name, "torch.Size");
  const Pickle called = load(text("a") + text("B") + "\x93)}\x92.");
  ASSERT_NE(as<Call>(called.root), nullptr);
  EXPECT_EQ(as<Call>(called.root)->function->name, "a.B");
  const Pickle pickle = load("\x80\x05\x95" + raw(uint64_t{9}) + text("x") + "\x94h\x00\x86."s);
  const Tuple* pair = as<Tuple>(pickle.root);
  ASSERT_TRUE(pair != nullptr && pair->items.size() == 2);
  EXPECT_EQ(pair->items[0], pair->items[1]);  // the second from the memo
  EXPECT_EQ(load_as<int64_t>("K\x01K\x02"
                             "0(NN1"),
            1);
}

TEST(Pickle, AGlobalThatIsNamedOverAndOverCannotBeLong) {
  const std::string name = text(std::string(2000, 'a')) + "q\x01h\x01";
  expect_rejected(name + "\x93", "a global's name of 4000 bytes");
  expect_rejected(global(std::string(2000, 'a'), "b"), "a global's name of 2001 bytes");
}

TEST(Pickle, DefaultDictIsADict) {
  const std::string code = global("collections", "defaultdict") +
                           tuple({global("builtins", "list")}) + "R" + set_items({{"a", "N"}});
  EXPECT_EQ(load_as<Dict>(code).items.size(), 1u);
}

TEST(Pickle, OrderedDictsOfOneListCannotGrowQuadratically) {
  std::string code = list(Strings(1000, list({text("k"), "N"}))) + "q\x01q\x02";
  for (int i = 0; i < 1000; ++i) code += global("collections", "OrderedDict") + "h\x01\x85R";
  expect_rejected(code, "OrderedDicts of one shared list");
}

TEST(Pickle, MoreOpcodesThanAnyStateDictHasAreRejected) {
  const std::string most((size_t{1} << 21) - 2, '(');  // without protocol and value
  EXPECT_NO_THROW(load(pickled(most + "N")));
  expect_rejected(most + "(N", "more than 2097152 opcodes");
}

TEST(Pickle, LengthsBeyondTheEndAreRejectedWithoutAllocating) {
  expect_rejected("X\xff\xff\xff\xffhi", "truncated: 4294967295 bytes expected");
  expect_rejected("T\xff\xff\xff\x7fhi", "truncated: 2147483647 bytes expected");
  expect_rejected("ccollections", "no end of the line");
}

TEST(Pickle, TruncationAtEveryByteIsRejected) {
  const std::string whole =
      pickled(ordered_dict({{"a", parameter(tensor(storage("FloatStorage", "k", 4), 1, {3}, {1}))},
                            {"b", integer(1LL << 40)}}));
  EXPECT_NO_THROW(load(whole));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(load(whole.substr(0, length)), FileError) << length;
  }
}

}  // namespace
}  // namespace edgeprune::pickle
