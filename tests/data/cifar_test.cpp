#include "data/cifar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/data/image_files.h"
#include "tests/data/tar_files.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::write_bytes;

/// A record whose planes are of one value each, but for the first row's second pixel.
std::string record(int label, int red, int green, int blue) {
  std::string bytes(1, static_cast<char>(label));
  for (int value : {red, green, blue}) bytes += std::string(1024, static_cast<char>(value));
  bytes[1 + 1] = static_cast<char>(99);
  return bytes;
}

class Cifar10 : public ::testing::Test {
 protected:
  void write_batches(const std::string& folder) {
    for (int i = 1; i <= 5; ++i) {
      write_bytes(folder + "/data_batch_" + std::to_string(i) + ".bin",
                  record(i, 10 * i, 0, 255) + record(9, 1, 2, 3));
    }
    write_bytes(folder + "/test_batch.bin", record(0, 7, 8, 9));
  }

  std::string error_of(Split split) {
    return message_of<FileError>([&] { read_cifar(folder_.path(), split); });
  }

  testing::TemporaryFolder folder_;
};

TEST_F(Cifar10, TrainingBatchesAreReadInOrderAndInterleaved) {
  write_batches(folder_.path());
  const Dataset train = read_cifar(folder_.path(), Split::train);
  EXPECT_THAT(train.labels, ElementsAre(1, 9, 2, 9, 3, 9, 4, 9, 5, 9));
  ASSERT_EQ(train.size(), 10);
  const Image& image = train.images[4];
  EXPECT_EQ(image.height, 32);
  EXPECT_EQ(image.width, 32);
  ASSERT_EQ(image.rgb.size(), 3072u);
  EXPECT_THAT(std::vector<int>(image.rgb.begin(), image.rgb.begin() + 9),
              ElementsAre(30, 0, 255, 99, 0, 255, 30, 0, 255));
  EXPECT_THAT(std::vector<int>(image.rgb.end() - 3, image.rgb.end()), ElementsAre(30, 0, 255));
}

TEST_F(Cifar10, TestBatchIsReadFromTheArchivesFolderToo) {
  write_batches(folder_.file("cifar-10-batches-bin"));
  EXPECT_TRUE(is_cifar(folder_.path()));
  const Dataset test = read_cifar(folder_.path(), Split::test);
  EXPECT_THAT(test.labels, ElementsAre(0));
  EXPECT_EQ(test.images[0].rgb[0], 7);
}

TEST_F(Cifar10, ClassNamesComeFromTheMetaFileIfThereIsOne) {
  write_batches(folder_.path());
  const auto classes = [&] { return read_cifar(folder_.path(), Split::test).classes; };
  EXPECT_THAT(classes(), ElementsAre("airplane", "automobile", "bird", "cat", "deer", "dog", "frog",
                                     "horse", "ship", "truck"));
  write_bytes(folder_.file("batches.meta.txt"), "a\nb\nc\r\nd\ne\nf\ng\nh\ni\nj\n\n");
  EXPECT_THAT(classes(), ElementsAre("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"));
  write_bytes(folder_.file("batches.meta.txt"), "a\nb\n");
  EXPECT_THAT(error_of(Split::test), HasSubstr("10 class names expected, found 2"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "a\n";
  write_bytes(folder_.file("batches.meta.txt"), many);
  EXPECT_THAT(error_of(Split::test), HasSubstr("10 class names expected, found 11 or more"));
}

TEST_F(Cifar10, MissingBatchIsNamed) {
  write_batches(folder_.path());
  std::filesystem::remove(folder_.file("data_batch_3.bin"));
  EXPECT_THAT(error_of(Split::train), HasSubstr(folder_.file("data_batch_3.bin")));
  EXPECT_EQ(error_of(Split::test), testing::kNothingThrown);
}

TEST_F(Cifar10, TruncatedAndEmptyBatchesAreRejected) {
  write_batches(folder_.path());
  write_bytes(folder_.file("test_batch.bin"), record(1, 1, 1, 1).substr(0, 3072));
  EXPECT_THAT(error_of(Split::test),
              AllOf(HasSubstr(folder_.file("test_batch.bin")), HasSubstr("3072 bytes")));
  write_bytes(folder_.file("test_batch.bin"), record(1, 1, 1, 1) + "x");
  EXPECT_THAT(error_of(Split::test), HasSubstr("3074 bytes"));
  write_bytes(folder_.file("test_batch.bin"), "");
  EXPECT_THAT(error_of(Split::test), HasSubstr("0 bytes"));
}

TEST_F(Cifar10, LabelAboveNineIsRejectedWithItsRecord) {
  write_batches(folder_.path());
  write_bytes(folder_.file("test_batch.bin"), record(3, 0, 0, 0) + record(10, 0, 0, 0));
  EXPECT_THAT(error_of(Split::test), HasSubstr("record 1 has label 10"));
}

TEST_F(Cifar10, TheArchiveThatWasDownloadedIsReadAsItIs) {
  write_batches(folder_.file("cifar-10-batches-bin"));
  const Dataset expected = read_cifar(folder_.path(), Split::train);
  std::string archive;
  for (int i = 5; i >= 1; --i) {
    const auto name = fmt::format("cifar-10-batches-bin/data_batch_{}.bin", i);
    const std::vector<char> content = read_file(folder_.file(name));
    archive += testing::tar_entry(name, {content.begin(), content.end()});
  }
  const std::string path = folder_.file("cifar-10-binary.tar.gz");
  testing::write_gzip(path, archive + testing::tar_end());
  EXPECT_TRUE(is_cifar(path));
  const Dataset train = read_cifar(path, Split::train);
  EXPECT_EQ(train.images, expected.images);
  EXPECT_EQ(train.labels, expected.labels);
  EXPECT_THAT(message_of<FileError>([&] { read_cifar(path, Split::test); }),
              HasSubstr("no batches of CIFAR-10 or CIFAR-100 found (test)"));
}

TEST_F(Cifar10, TheLargerOneHasAHundredFineLabels) {
  std::string names, batch;
  for (int i = 0; i < 100; ++i) names += fmt::format("class_{}\n", i);
  for (int label : {99, 3}) batch += '\7' + record(label, 1, 2, 3);  // 7: a coarse label
  write_bytes(folder_.file("cifar-100-binary/train.bin"), batch);
  EXPECT_THAT(error_of(Split::train), HasSubstr("fine_label_names.txt"));
  write_bytes(folder_.file("cifar-100-binary/fine_label_names.txt"), names);
  const Dataset train = read_cifar(folder_.path(), Split::train);
  EXPECT_THAT(train.labels, ElementsAre(99, 3));
  EXPECT_EQ(train.classes[99], "class_99");
  EXPECT_THAT(std::vector<int>(train.images[1].rgb.begin(), train.images[1].rgb.begin() + 6),
              ElementsAre(1, 2, 3, 99, 2, 3));
  EXPECT_THAT(error_of(Split::test), HasSubstr("test.bin"));
}

/// A batch as cPickle wrote it, protocol 2: {"data": array([rows, 3072]), labels_key: labels}.
std::string pickled(const std::string& labels_key, const std::vector<int>& labels,
                    const std::string& pixels, int64_t rows) {
  const auto text = [](const std::string& s) { return "U" + std::string(1, char(s.size())) + s; };
  const auto number = [](int64_t n) { return "J" + testing::little_endian(uint32_t(n), 4); };
  std::string list = "](";
  for (const int label : labels) list += std::string("K") + char(label);
  const std::string array =
      "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + "\x85" + text("b") +
      "\x87R(K\1" + number(rows) + number(3072) + "\x86" + "cnumpy\ndtype\n" + text("u1") +
      number(0) + number(1) + "\x87R(K\3" + text("|") + "NNN" + number(-1) + number(-1) +
      number(0) + "tb\x89T" + testing::little_endian(uint32_t(pixels.size()), 4) + pixels + "tb";
  return "\x80\2}(" + text("data") + array + text(labels_key) + list + "eu.";
}

std::string pickled_names(const std::string& key, int count) {
  std::string names = "\x80\2}(U" + std::string(1, char(key.size())) + key + "](";
  for (int i = 0; i < count; ++i) {
    const auto name = fmt::format("name {}", i);
    names += "U" + std::string(1, char(name.size())) + name;
  }
  return names + "eu.";
}

TEST_F(Cifar10, ThePythonVersionIsReadWithoutRunningIt) {
  const std::string pixels = record(0, 1, 2, 3).substr(1) + record(0, 4, 5, 6).substr(1);
  const std::string folder = folder_.file("cifar-10-batches-py");
  for (int i = 1; i <= 5; ++i) {
    write_bytes(folder + "/data_batch_" + std::to_string(i), pickled("labels", {i, 9}, pixels, 2));
  }
  write_bytes(folder + "/batches.meta", pickled_names("label_names", 10));
  EXPECT_TRUE(is_cifar(folder_.path()));
  const Dataset train = read_cifar(folder_.path(), Split::train);
  EXPECT_THAT(train.labels, ElementsAre(1, 9, 2, 9, 3, 9, 4, 9, 5, 9));
  EXPECT_EQ(train.classes[9], "name 9");
  EXPECT_THAT(std::vector<int>(train.images[3].rgb.begin(), train.images[3].rgb.begin() + 6),
              ElementsAre(4, 5, 6, 99, 5, 6));
  const auto error = [&](const std::string& batch) {
    write_bytes(folder + "/data_batch_1", batch);
    return error_of(Split::train);
  };
  EXPECT_THAT(error(pickled("labels", {1}, pixels, 2)),
              HasSubstr("1 images of 3072 were expected"));
  EXPECT_THAT(error(pickled("labels", {1, 2}, pixels.substr(1), 2)), HasSubstr("6143 bytes"));
  EXPECT_THAT(error(pickled("labels", {1, 10}, pixels, 2)), HasSubstr("record 1 has label 10"));
  EXPECT_THAT(error(pickled("fine_labels", {1, 2}, pixels, 2)), HasSubstr("there is no 'labels'"));
  const std::string whole = pickled("labels", {1, 2}, pixels, 2);
  for (size_t length = 0; length < whole.size(); length += length < 300 ? 1 : 500) {
    EXPECT_THAT(error(whole.substr(0, length)), HasSubstr("data_batch_1")) << length;
  }
}

TEST_F(Cifar10, ThePythonVersionOfTheLargerOneIsReadToo) {
  const std::string pixels = record(0, 1, 2, 3).substr(1);
  write_bytes(folder_.file("cifar-100-python/test"), pickled("fine_labels", {99}, pixels, 1));
  write_bytes(folder_.file("cifar-100-python/meta"), pickled_names("fine_label_names", 100));
  const Dataset test = read_cifar(folder_.path(), Split::test);
  EXPECT_THAT(test.labels, ElementsAre(99));
  EXPECT_EQ(test.classes[99], "name 99");
}

TEST_F(Cifar10, OtherFoldersAreNotTakenForIt) {
  EXPECT_FALSE(is_cifar(folder_.path()));
  EXPECT_FALSE(is_cifar(folder_.file("missing")));
  std::filesystem::create_directories(folder_.file("cifar-10-batches-bin"));
  EXPECT_FALSE(is_cifar(folder_.path()));
}

}  // namespace
}  // namespace edgeprune
