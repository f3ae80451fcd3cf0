#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "models/pth/container.h"
#include "tests/models/pth/pth_bytes.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using namespace edgeprune::testing;

const std::string kZippedObject =
    dict({{"w", tensor(storage("FloatStorage", "k", 2), 0, {2}, {1})}});
const std::vector<StoredBytes> kStorages = {{"k", 2, raw(std::vector<float>{1, 2})}};
constexpr size_t kPickle = 0, kStorage = 1;  // of entries()

std::vector<ZipEntry> entries() {
  return zip_entries(kZippedObject, kStorages);
}

PthContents opened(const std::string& file) {
  static const TemporaryFolder folder;
  write_bytes(folder.file("f.pth"), file);
  return read_zip_container(folder.file("f.pth"));
}

/// The bytes of all storages, by key.
std::map<std::string, std::vector<std::byte>> read(const std::vector<ZipEntry>& zip) {
  const std::string file = zip_file(zip);
  const PthContents contents = opened(file);
  std::map<std::string, std::vector<std::byte>> bytes;
  for (const auto& [key, storage] : storages_of(contents.object, "f.pth")) {
    bytes[key] = contents.read(storage);
  }
  return bytes;
}

void expect_zip_rejected(const std::vector<ZipEntry>& zip, const std::string& reason) {
  try {
    read(zip);
    ADD_FAILURE() << "accepted, expected: " << reason;
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
  }
}

TEST(ZipContainer, IsKnownByItsFirstBytes) {
  const std::string file = zip_file(entries());
  EXPECT_TRUE(is_zip_container(std::as_bytes(std::span(file))));
  EXPECT_FALSE(is_zip_container(std::as_bytes(std::span(file)).subspan(1)));
  EXPECT_FALSE(is_zip_container(std::as_bytes(std::span(file)).first(3)));
}

TEST(ZipContainer, HoldsTheObjectAndItsStorages) {
  const std::string file = zip_file(entries());
  const PthContents contents = opened(file);
  EXPECT_NE(pickle::as<pickle::Dict>(contents.object.root), nullptr);
  ASSERT_EQ(read(entries()).size(), 1u);
  EXPECT_EQ(read(entries()).at("k").size(), 8u);
}

TEST(ZipContainer, WhatIsNotAskedForIsNotRead) {
  auto zip = entries();
  zip[kStorage].crc_error = 1;
  const std::string file = zip_file(zip);
  EXPECT_NO_THROW(opened(file));
}

TEST(ZipContainer, StoragesAreNeverMoreThanTheFile) {
  const std::string file = zip_file(entries());
  const PthContents contents = opened(file);
  const StorageRef storage = storages_of(contents.object, "f.pth").at("k");
  const auto read_often = [&] {
    for (size_t i = 0; i <= file.size() / storage.bytes(); ++i) contents.read(storage);
  };
  EXPECT_THROW(read_often(), FileError);
}

TEST(ZipContainer, LittleEndianOrderIsAcceptedAndBigRejected) {
  auto zip = entries();
  zip.push_back({"any name/byteorder", "little"});
  EXPECT_NO_THROW(read(zip));
  zip.back().bytes = "big";
  expect_zip_rejected(zip, "byte order is 'big'");
}

TEST(ZipContainer, MissingEntriesAreRejected) {
  expect_zip_rejected({}, "archive is empty");
  expect_zip_rejected({{"data.pkl", pickled("N")}}, "is in no folder");
  expect_zip_rejected({{"x/constants.pkl", pickled("N")}}, "no 'x/data.pkl'");
  auto zip = entries();
  zip.erase(zip.begin() + kStorage);
  expect_zip_rejected(zip, "no 'any name/data/k'");
}

TEST(ZipContainer, WrongChecksumIsRejected) {
  for (const size_t entry : {kPickle, kStorage}) {
    auto zip = entries();
    zip[entry].crc_error = 1;
    expect_zip_rejected(zip, "truncated or damaged");
  }
}

TEST(ZipContainer, CompressionIsRejected) {
  for (const size_t entry : {kPickle, kStorage}) {
    auto zip = entries();
    zip[entry].method = 8;
    expect_zip_rejected(zip, "compressed");
  }
}

TEST(ZipContainer, ClaimedSizesAreNotBelieved) {
  for (const size_t entry : {kPickle, kStorage}) {
    for (const int64_t size : {int64_t{0xfffffff0}, int64_t{300}, int64_t{1}, int64_t{0}}) {
      auto zip = entries();
      zip[entry].claimed_size = size;
      expect_zip_rejected(zip, "");
    }
  }
  auto zip = entries();
  zip[kStorage].claimed_size = 0xfffffff0;
  expect_zip_rejected(zip, "claims 4294967280 bytes in a file of");
}

}  // namespace
}  // namespace edgeprune
