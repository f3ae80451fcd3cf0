#include "data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "data/synthetic.h"
#include "engine/base/buffer.h"
#include "tests/data/image_files.h"

namespace edgeprune {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::numbered_images;

/// Batches of 2x2 images whose values are pixels / 255.
LoaderOptions plain(int64_t batch) {
  LoaderOptions options;
  options.batch = batch;
  options.input_size = 2;
  options.normalisation = {};
  return options;
}

LoaderOptions training(int64_t batch) {
  LoaderOptions options = plain(batch);
  options.input_size = 24;
  options.shuffle = true;
  options.augmentation = Augmentation{true, 4};
  options.seed = 11;
  return options;
}

std::vector<Batch> rest_of_epoch(Loader& loader) {
  std::vector<Batch> batches;
  for (Batch batch; loader.next(batch);) batches.push_back(batch);
  return batches;
}

std::vector<Batch> epoch_of(Loader& loader, uint64_t epoch, int64_t first_batch = 0) {
  loader.start_epoch(epoch, first_batch);
  return rest_of_epoch(loader);
}

/// The numbers of numbered_images(), in the order they came.
std::vector<int> numbers(const std::vector<Batch>& batches) {
  std::vector<int> result;
  for (const Batch& batch : batches) {
    for (int64_t i = 0; i < batch.input.dim(0); ++i) {
      result.push_back(static_cast<int>(batch.input.values()[i * 12] * 255 + 0.5f));
    }
  }
  return result;
}

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.labels, b.labels);
  ASSERT_EQ(a.input.shape(), b.input.shape());
  EXPECT_TRUE(
      std::equal(a.input.values().begin(), a.input.values().end(), b.input.values().begin()));
}

TEST(Loader, WalksTheDataInOrderAndEndsWithAPartialBatch) {
  const Dataset data = numbered_images(10, 3);
  Loader loader(data, plain(4));
  EXPECT_EQ(loader.batches(), 3);
  const std::vector<Batch> batches = epoch_of(loader, 0);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].input.shape(), (Shape{4, 2, 2, 3}));
  EXPECT_EQ(batches[2].input.shape(), (Shape{2, 2, 2, 3}));
  EXPECT_EQ(batches[1].labels, (std::vector<int>{1, 2, 0, 1}));
  EXPECT_EQ(numbers(batches), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Loader, ALastBatchOfTooFewImagesIsLeftOut) {
  const Dataset data = numbered_images(10, 3);
  LoaderOptions options = plain(4);
  options.smallest_batch = 3;
  Loader loader(data, options);
  EXPECT_EQ(loader.batches(), 2);
  EXPECT_EQ(loader.images_in(2), 8);
  EXPECT_EQ(epoch_of(loader, 0).size(), 2u);
  options.smallest_batch = 2;
  Loader whole(data, options);
  EXPECT_EQ(whole.batches(), 3);
  EXPECT_EQ(whole.images_in(3), 10);
}

TEST(Loader, TheOnlyBatchIsNeverLeftOut) {
  const Dataset data = numbered_images(1, 1);
  LoaderOptions options = plain(4);
  options.smallest_batch = 2;
  Loader loader(data, options);
  EXPECT_EQ(numbers(epoch_of(loader, 0)), std::vector<int>{0});
}

TEST(Loader, ShuffledEpochsHoldEveryImageOnceInAnOrderOfTheirOwn) {
  const Dataset data = numbered_images(100, 10);
  LoaderOptions options = plain(7);
  options.shuffle = true;
  Loader loader(data, options);
  const std::vector<int> first = numbers(epoch_of(loader, 0)),
                         second = numbers(epoch_of(loader, 1));
  EXPECT_NE(first, second);
  EXPECT_EQ(first, numbers(epoch_of(loader, 0)));
  for (std::vector<int> order : {first, second}) {
    EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
    std::sort(order.begin(), order.end());
    for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
  }
  options.seed = 1;
  Loader other(data, options);
  EXPECT_NE(first, numbers(epoch_of(other, 0)));
}

TEST(Loader, LabelsStayWithTheirImages) {
  const Dataset data = numbered_images(100, 10);
  LoaderOptions options = plain(7);
  options.shuffle = true;
  Loader loader(data, options);
  for (const Batch& batch : epoch_of(loader, 5)) {
    const std::vector<int> images = numbers({batch});
    for (size_t i = 0; i < images.size(); ++i) EXPECT_EQ(batch.labels[i], images[i] % 10);
  }
}

TEST(Loader, AnEpochBegunInTheMiddleEqualsTheRestOfAWholeOne) {
  const Dataset data = synthetic(50, Split::train, 0);
  Loader whole(data, training(8));
  const std::vector<Batch> all = epoch_of(whole, 3);
  ASSERT_EQ(all.size(), 7u);
  for (int64_t first = 0; first <= 7; ++first) {
    Loader resumed(data, training(8));
    const std::vector<Batch> rest = epoch_of(resumed, 3, first);
    ASSERT_EQ(rest.size(), static_cast<size_t>(7 - first));
    for (size_t i = 0; i < rest.size(); ++i) expect_equal(rest[i], all[first + i]);
  }
}

TEST(Loader, BatchesDoNotDependOnTimingOrPrefetch) {
  const Dataset data = synthetic(50, Split::train, 0);
  Loader loader(data, training(8));
  const std::vector<Batch> fast = epoch_of(loader, 1);
  LoaderOptions options = training(8);
  options.prefetch = 5;
  Loader other(data, options);
  other.start_epoch(1);
  size_t i = 0;
  for (Batch batch; other.next(batch); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(i % 3));
    expect_equal(batch, fast.at(i));
  }
  EXPECT_EQ(i, fast.size());
}

TEST(Loader, AugmentationOfAnImageDoesNotDependOnTheBatchSize) {
  const Dataset data = synthetic(40, Split::train, 0);
  Loader small(data, training(1)), large(data, training(40));
  const std::vector<Batch> singles = epoch_of(small, 2);
  const Batch together = epoch_of(large, 2).at(0);
  const int64_t image = singles[0].input.count();
  for (size_t i = 0; i < singles.size(); ++i) {
    EXPECT_TRUE(std::equal(singles[i].input.values().begin(), singles[i].input.values().end(),
                           together.input.data() + static_cast<int64_t>(i) * image));
  }
}

TEST(Loader, AugmentationChangesFromEpochToEpoch) {
  const Dataset data = synthetic(20, Split::train, 0);
  LoaderOptions options = training(20);
  options.shuffle = false;
  Loader loader(data, options);
  const Batch first = epoch_of(loader, 0).at(0), second = epoch_of(loader, 1).at(0);
  EXPECT_EQ(first.labels, second.labels);
  EXPECT_FALSE(std::equal(first.input.values().begin(), first.input.values().end(),
                          second.input.values().begin()));
}

TEST(Loader, RestartsAndStopsInMidEpoch) {
  const Dataset data = numbered_images(200, 4);
  for (int taken = 0; taken < 6; ++taken) {
    Loader loader(data, plain(3));
    loader.start_epoch(0);
    Batch batch;
    for (int i = 0; i < taken; ++i) ASSERT_TRUE(loader.next(batch));
    loader.start_epoch(1);
    ASSERT_TRUE(loader.next(batch));
    EXPECT_EQ(numbers({batch}), (std::vector<int>{0, 1, 2}));
  }  // each destroyed with its worker busy or waiting
}

TEST(Loader, GivesNothingBeforeAnEpochAndAfterItsEnd) {
  const Dataset data = numbered_images(4, 2);
  Loader loader(data, plain(2));
  Batch batch;
  EXPECT_FALSE(loader.next(batch));
  EXPECT_EQ(epoch_of(loader, 0).size(), 2u);
  EXPECT_FALSE(loader.next(batch));
  EXPECT_FALSE(loader.next(batch));
  EXPECT_EQ(epoch_of(loader, 1).size(), 2u);
}

TEST(Loader, ErrorOfTheWorkerComesOutOfNextAfterTheGoodBatches) {
  Dataset data = numbered_images(10, 2);
  data.images[5].rgb.pop_back();
  Loader loader(data, plain(2));
  loader.start_epoch(0);
  Batch batch;
  EXPECT_TRUE(loader.next(batch));
  EXPECT_TRUE(loader.next(batch));
  const auto error = [&] { return message_of<std::invalid_argument>([&] { loader.next(batch); }); };
  EXPECT_THAT(error(), HasSubstr("11 bytes"));
  EXPECT_THAT(error(), HasSubstr("11 bytes"));
  loader.start_epoch(0, 3);
  EXPECT_TRUE(loader.next(batch));
}

TEST(Loader, RecyclesItsTensors) {
  const Dataset data = synthetic(64, Split::train, 0);
  Loader loader(data, training(4));
  const auto run = [&](uint64_t epoch) {
    loader.start_epoch(epoch);
    for (Batch batch; loader.next(batch);) continue;
  };
  run(0);
  const size_t in_flight = 2 + 2;  // waiting, with the caller, being prepared
  const size_t fresh = buffer_stats().fresh;
  for (uint64_t epoch = 1; epoch < 5; ++epoch) run(epoch);
  EXPECT_LE(buffer_stats().fresh, fresh + in_flight);
}

TEST(Loader, RecordsTheTimeThatNextWaits) {
  const Dataset data = synthetic(64, Split::train, 0);
  Loader loader(data, training(64));
  loader.start_epoch(0);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_GT(loader.waited_seconds(), 0.0);
  EXPECT_LT(loader.waited_seconds(), 10.0);
}

TEST(Loader, ImpossibleOptionsAreRejectedWithTheNumbers) {
  const Dataset data = numbered_images(10, 2);
  const auto error = [&](const LoaderOptions& options) {
    return message_of<std::invalid_argument>([&] { Loader(data, options); });
  };
  EXPECT_THAT(error(plain(0)), AllOf(HasSubstr("got 0"), HasSubstr("10 images")));
  EXPECT_THAT(error(plain(-1)), HasSubstr("got -1"));
  LoaderOptions options = plain(11);
  EXPECT_EQ(error(options), testing::kNothingThrown);
  options = plain(2);
  options.prefetch = 0;
  EXPECT_THAT(error(options), HasSubstr("got 0"));
  options = plain(2);
  options.input_size = 0;
  EXPECT_THAT(error(options), HasSubstr("input size"));
}

TEST(Loader, ImpossibleStartsAreRejected) {
  const Dataset data = numbered_images(10, 2);
  Loader loader(data, plain(5));
  EXPECT_THROW(loader.start_epoch(0, -1), std::invalid_argument);
  EXPECT_THAT(message_of<std::invalid_argument>([&] { loader.start_epoch(0, 3); }),
              HasSubstr("2 batches"));
  EXPECT_EQ(epoch_of(loader, 0, 2).size(), 0u);
}

TEST(Loader, InconsistentDatasetsAreRejected) {
  const auto error = [](const Dataset& data) {
    return message_of<std::invalid_argument>([&] { Loader(data, plain(2)); });
  };
  Dataset data = numbered_images(10, 2);
  data.labels[7] = 2;
  EXPECT_THAT(error(data), HasSubstr("image 7 has label 2, but there are 2 classes"));
  data.labels.pop_back();
  EXPECT_THAT(error(data), HasSubstr("10 images have 9 labels"));
  EXPECT_THAT(error({}), HasSubstr("of 0 images"));
}

}  // namespace
}  // namespace edgeprune
