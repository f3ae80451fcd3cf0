#include "data/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "tests/data/image_files.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

using ::testing::AllOf;
using testing::bmp_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::one_colour;
using testing::write_bytes;

class ImageFolder : public ::testing::Test {
 protected:
  /// A BMP of one colour at `name`.
  void add(const std::string& name, int value) {
    write_bytes(folder_.file(name), bmp_bytes(one_colour(2, 3, static_cast<uint8_t>(value))));
  }

  std::string error_of(Split split) {
    return message_of<FileError>([&] { read_image_folder(folder_.path(), split, {}); });
  }

  ReadOptions saying() {
    ReadOptions options;
    options.say = [this](const std::string& line) { said_.push_back(line); };
    return options;
  }

  testing::TemporaryFolder folder_;
  std::vector<std::string> said_;
};

std::vector<int> first_pixels(const Dataset& dataset) {
  std::vector<int> values;
  for (const Image& image : dataset.images) values.push_back(image.rgb.at(0));
  return values;
}

TEST_F(ImageFolder, ClassesAndFilesAreInOrderOfName) {
  add("train/dog/b.bmp", 4);
  add("train/dog/a.bmp", 3);
  add("train/cat/2.bmp", 2);
  add("train/cat/10.bmp", 1);
  add("test/cat/0.bmp", 5);
  add("test/dog/0.bmp", 6);
  const Dataset train = read_image_folder(folder_.path(), Split::train, {});
  EXPECT_THAT(train.classes, ElementsAre("cat", "dog"));
  EXPECT_THAT(train.labels, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(first_pixels(train), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(train.source, AllOf(HasSubstr(folder_.path()), HasSubstr("train")));
  EXPECT_THAT(first_pixels(read_image_folder(folder_.path(), Split::test, {})), ElementsAre(5, 6));
}

TEST_F(ImageFolder, ReadsEveryFormatInAnyCaseAndNothingElse) {
  add("test/a/1.BMP", 1);
  write_bytes(folder_.file("test/a/2.Png"), testing::grey_png_bytes());
  write_bytes(folder_.file("test/a/3.jpg"), testing::jpeg_bytes());
  write_bytes(folder_.file("test/a/4.JPEG"), testing::jpeg_bytes());
  write_bytes(folder_.file("test/a/notes.txt"), "not an image");
  write_bytes(folder_.file("test/a/.5.jpg"), "what an archiver left");
  write_bytes(folder_.file("test/.hidden/6.jpg"), "no class");
  write_bytes(folder_.file("test/list.csv"), "no class either");
  std::filesystem::create_directories(folder_.file("test/a/7.png"));
  const Dataset test = read_image_folder(folder_.path(), Split::test, {});
  EXPECT_THAT(test.classes, ElementsAre("a"));
  EXPECT_EQ(test.size(), 4);
}

TEST_F(ImageFolder, ResultDoesNotDependOnTheThreadCount) {
  for (int i = 0; i < 100; ++i) add(fmt::format("train/{}/{:03}.bmp", i % 2, i), i);
  Dataset one, four;
  {
    const ThreadScope threads(1);
    one = read_image_folder(folder_.path(), Split::train, {});
  }
  {
    const ThreadScope threads(4);
    four = read_image_folder(folder_.path(), Split::train, {});
  }
  EXPECT_EQ(one.size(), 100);
  EXPECT_EQ(one.images, four.images);
  EXPECT_EQ(one.labels, four.labels);
}

TEST_F(ImageFolder, FirstCorruptImageIsNamedWhateverTheThreadCount) {
  for (int i = 0; i < 100; ++i) add(fmt::format("train/a/{:03}.bmp", i), i);
  const std::string bytes = bmp_bytes(one_colour(2, 3, 1));
  for (const char* bad : {"train/a/031.bmp", "train/a/077.bmp", "train/a/099.bmp"}) {
    write_bytes(folder_.file(bad), bytes.substr(0, bytes.size() - 9));
  }
  for (int threads : {1, 2, 5}) {
    const ThreadScope scope(threads);
    EXPECT_THAT(error_of(Split::train), HasSubstr("train/a/031.bmp"));
  }
}

TEST_F(ImageFolder, AllBadImagesAreNamedAtOnceOrLeftOut) {
  for (int i = 0; i < 5; ++i) add(fmt::format("train/a/{}.bmp", i), i);
  add("train/b/0.bmp", 7);
  write_bytes(folder_.file("train/a/1.bmp"), "BM");
  write_bytes(folder_.file("train/a/3.bmp"), "text");
  EXPECT_THAT(error_of(Split::train),
              AllOf(HasSubstr("2 of 6 images cannot be read"), HasSubstr("a/1.bmp"),
                    HasSubstr("a/3.bmp"), HasSubstr("--skip-bad-images")));
  ReadOptions options = saying();
  options.skip_bad = true;
  const Dataset train = read_image_folder(folder_.path(), Split::train, options);
  EXPECT_THAT(first_pixels(train), ElementsAre(0, 2, 4, 7));
  EXPECT_THAT(train.labels, ElementsAre(0, 0, 0, 1));
  ASSERT_EQ(said_.size(), 1u);
  EXPECT_THAT(said_[0], AllOf(HasSubstr("left out: 2 of 6 images"), HasSubstr("a/3.bmp")));
  for (int i : {0, 2, 4}) write_bytes(folder_.file(fmt::format("train/a/{}.bmp", i)), "bad");
  write_bytes(folder_.file("train/b/0.bmp"), "bad");
  EXPECT_THROW(read_image_folder(folder_.path(), Split::train, options), FileError);
}

TEST_F(ImageFolder, AClassLeftWithoutImagesIsAnError) {
  add("train/a/0.bmp", 0);
  write_bytes(folder_.file("train/b/0.bmp"), "bad");
  ReadOptions options = saying();
  options.skip_bad = true;
  EXPECT_THAT(
      message_of<FileError>([&] { read_image_folder(folder_.path(), Split::train, options); }),
      HasSubstr("no image of class 'b' can be read"));
}

TEST_F(ImageFolder, ValServesAsTest) {
  add("train/a/0.bmp", 0);
  add("val/a/0.bmp", 4);
  EXPECT_THAT(first_pixels(read_image_folder(folder_.path(), Split::test, saying())),
              ElementsAre(4));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("there is no test/, val/ serves as that")));
  add("val/b/0.bmp", 4);
  EXPECT_THAT(error_of(Split::train), HasSubstr("'b' is only in val"));
  add("test/a/0.bmp", 5);
  EXPECT_THAT(first_pixels(read_image_folder(folder_.path(), Split::test, saying())),
              ElementsAre(5));
}

TEST_F(ImageFolder, WhatIsPassedOverIsCounted) {
  add("train/a/0.bmp", 0);
  add("train/a/more/1.bmp", 1);
  add("train/a/more/deep/2.bmp", 2);
  for (const char* name : {"train/a/3.gif", "train/a/4.GIF", "train/a/Makefile", "train/stray.bmp",
                           "train/a/.hidden"}) {
    write_bytes(folder_.file(name), "x");
  }
  std::filesystem::create_symlink("nowhere.bmp", folder_.file("train/a/5.bmp"));
  EXPECT_THAT(first_pixels(read_image_folder(folder_.path(), Split::train, saying())),
              ElementsAre(0));
  EXPECT_THAT(
      said_, ElementsAre("warning: " + folder_.file("train") +
                         ": passed over 1 file without extension, 2 files ending in .gif, 1 folder "
                         "inside of class folders, with 2 images, 1 broken link, 1 file beside the "
                         "class folders"));
}

TEST_F(ImageFolder, ALimitDecodesNoMoreThanItTakes) {
  for (int i = 0; i < 30; ++i) {
    add(fmt::format("train/a/{}.bmp", i), 100 + i);
    add(fmt::format("train/b/{}.bmp", i), 200 + i);
  }
  ReadOptions options = saying();
  options.limit = 6;
  const Dataset part = read_image_folder(folder_.path(), Split::train, options);
  EXPECT_EQ(part.labels, (std::vector<int>{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(part.images, limit(read_image_folder(folder_.path(), Split::train, {}), 6, 0).images);
  const std::vector<int> taken = first_pixels(part);
  for (int i = 0; i < 30; ++i) {  // none of the others is looked at
    if (std::count(taken.begin(), taken.end(), 100 + i) == 0)
      write_bytes(folder_.file(fmt::format("train/a/{}.bmp", i)), "bad");
  }
  EXPECT_EQ(read_image_folder(folder_.path(), Split::train, options).images, part.images);
}

TEST_F(ImageFolder, LargeImagesAreKeptAtTheNetworksSize) {
  write_bytes(folder_.file("train/a/0.bmp"), bmp_bytes(one_colour(300, 200, 7)));
  add("train/a/1.bmp", 8);
  ReadOptions options;
  options.input_size = 48;
  const Dataset train = read_image_folder(folder_.path(), Split::train, options);
  EXPECT_EQ(train.images[0], one_colour(48, 48, 7));
  EXPECT_EQ(train.images[1], one_colour(2, 3, 8));
}

TEST_F(ImageFolder, ClassNamesThatAreNotUtf8BecomeIt) {
  add("train/caf\xE9/0.bmp", 1);
  add("train/\xC3\xA9t\xC3\xA9/\xFF.bmp", 2);
  const Dataset train = read_image_folder(folder_.path(), Split::train, {});
  EXPECT_THAT(train.classes, ElementsAre("caf\\xE9", "\xC3\xA9t\xC3\xA9"));
  EXPECT_THAT(first_pixels(train), ElementsAre(1, 2));
}

TEST_F(ImageFolder, EmptyClassFolderIsNamed) {
  add("train/cat/1.bmp", 1);
  write_bytes(folder_.file("train/dog/readme.txt"), "nothing here");
  EXPECT_THAT(error_of(Split::train),
              AllOf(HasSubstr(folder_.file("train/dog")), HasSubstr("no images")));
}

TEST_F(ImageFolder, TrainAndTestMustHaveTheSameClasses) {
  add("train/cat/1.bmp", 1);
  add("train/dog/1.bmp", 1);
  add("test/cat/1.bmp", 1);
  EXPECT_THAT(error_of(Split::test), HasSubstr("'dog' is only in train"));
  add("test/dog/1.bmp", 1);
  add("test/ape/1.bmp", 1);
  EXPECT_THAT(error_of(Split::train), HasSubstr("'ape' is only in test"));
}

TEST_F(ImageFolder, MissingSplitAndMissingClassesAreErrors) {
  EXPECT_FALSE(is_image_folder(folder_.path()));
  EXPECT_THAT(error_of(Split::train), HasSubstr("has no train/ folder"));
  add("train/cat/1.bmp", 1);
  EXPECT_TRUE(is_image_folder(folder_.path()));
  EXPECT_THAT(error_of(Split::test), HasSubstr("has no test/ folder"));
  std::filesystem::create_directories(folder_.file("test"));
  EXPECT_THAT(error_of(Split::test), HasSubstr("no class folders"));
}

TEST(ImageFolderOfCifar10, HasTenThousandTestImagesInCifarsClasses) {
  EDGEPRUNE_REQUIRE_SHARED("data/cifar10/test");
  const Dataset test =
      read_image_folder(testing::shared_path("data/cifar10").string(), Split::test, {});
  EXPECT_EQ(test.size(), 10000);
  EXPECT_THAT(test.classes, ElementsAre("airplane", "automobile", "bird", "cat", "deer", "dog",
                                        "frog", "horse", "ship", "truck"));
  EXPECT_EQ(std::count(test.labels.begin(), test.labels.end(), 3), 1000);
}

}  // namespace
}  // namespace edgeprune
