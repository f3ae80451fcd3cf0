#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "models/pth/container.h"
#include "tests/models/pth/pth_bytes.h"

namespace edgeprune {
namespace {

using namespace edgeprune::testing;

const std::string kObject = dict({{"w", tensor(storage("FloatStorage", "k", 2), 0, {2}, {1})},
                                  {"n", tensor(storage("LongStorage", "m", 1), 0, {}, {})}});
const StoredBytes kFloats = {"k", 2, raw(std::vector<float>{1, 2})};
const StoredBytes kInteger = {"m", 1, raw(int64_t{7})};

/// Its bytes lie in `file`.
PthContents read(const std::string& file) {
  return read_legacy_container(std::as_bytes(std::span(file)), "f.pth");
}

void expect_rejected(const std::string& file, const std::string& reason) {
  try {
    read(file);
    ADD_FAILURE() << "accepted, expected: " << reason;
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
  }
}

TEST(LegacyContainer, IsKnownByItsMagicNumber) {
  std::string file = legacy_file(kObject, {kFloats, kInteger});
  EXPECT_TRUE(is_legacy_container(std::as_bytes(std::span(file))));
  EXPECT_FALSE(is_legacy_container(std::as_bytes(std::span(file)).first(14)));
  const std::string framed = "\x80\x04\x95" + raw(uint64_t{13}) + file.substr(2);
  EXPECT_TRUE(is_legacy_container(std::as_bytes(std::span(framed))));
  EXPECT_NO_THROW(read(framed));
  file[6] ^= 1;
  EXPECT_FALSE(is_legacy_container(std::as_bytes(std::span(file))));
}

TEST(LegacyContainer, StoragesFollowInTheOrderOfTheList) {
  for (const auto& order : {std::vector{kFloats, kInteger}, std::vector{kInteger, kFloats}}) {
    const std::string file = legacy_file(kObject, order);
    const PthContents contents = read(file);
    const auto storages = storages_of(contents.object, "f.pth");
    ASSERT_EQ(storages.size(), 2u);
    for (const StoredBytes& stored : order) {
      const auto bytes = contents.read(storages.at(stored.key));
      EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                stored.bytes);
    }
  }
}

TEST(LegacyContainer, OtherVersionsAndByteOrdersAreRejected) {
  expect_rejected(legacy_file(kObject, {kFloats, kInteger}, true, 1002), "version is not 1001");
  expect_rejected(legacy_file(kObject, {kFloats, kInteger}, false), "big-endian");
}

TEST(LegacyContainer, StorageListMustMatchTheObject) {
  expect_rejected(legacy_file(kObject, {kFloats}), "storage 'm' is missing");
  expect_rejected(legacy_file(kObject, {kFloats, kInteger, {"z", 0, ""}}),
                  "storage 'z' belongs to no tensor");
  expect_rejected(legacy_file(kObject, {kFloats, kFloats, kInteger}),
                  "storage 'k' is listed twice");
}

TEST(LegacyContainer, CountsAreNotBelieved) {
  expect_rejected(legacy_file(kObject, {{"k", 1, "1234"}, kInteger}),
                  "storage 'k' has 1 elements, expected 2");
  expect_rejected(legacy_file(kObject, {{"k", ~uint64_t{0}, "1234"}, kInteger}),
                  "elements, expected 2");
  const std::string huge =
      dict({{"w", tensor(storage("FloatStorage", "k", 1LL << 60), 0, {2}, {1})}});
  expect_rejected(legacy_file(huge, {{"k", 1ULL << 60, "1234"}}), "truncated");
}

}  // namespace
}  // namespace edgeprune
