#include "data/loader.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <system_error>

#include "engine/base/check.h"
#include "engine/base/random.h"
#include "engine/base/timer.h"

namespace edgeprune {
namespace {

// Random streams of a run's seed, out of reach of those that count from zero.
constexpr uint64_t kOrderStream = uint64_t{2} << 40;
constexpr uint64_t kAugmentationStream = uint64_t{3} << 40;  // plus the epoch

void check_dataset(const Dataset& dataset) {
  require(dataset.labels.size() == dataset.images.size(), "loader", "{} images have {} labels",
          dataset.images.size(), dataset.labels.size());
  const auto classes = static_cast<int>(dataset.classes.size());
  for (size_t i = 0; i < dataset.labels.size(); ++i) {
    require(dataset.labels[i] >= 0 && dataset.labels[i] < classes, "loader",
            "image {} has label {}, but there are {} classes", i, dataset.labels[i], classes);
  }
}

}  // namespace

Loader::Loader(const Dataset& dataset, const LoaderOptions& options)
    : dataset_(dataset), options_(options), preprocess_(options.input_size, options.normalisation) {
  check_dataset(dataset);
  const int64_t size = dataset.size();
  require(options.batch >= 1, "loader", "batch size must be at least 1, got {} for {} images",
          options.batch, size);
  require(options.prefetch >= 1, "loader", "at least one batch must be prefetched, got {}",
          options.prefetch);
  require(size > 0, "loader", "no batch of {} can be made of 0 images", options.batch);
  batches_ = std::max<int64_t>(1, size / options.batch);
  const int64_t rest = size - batches_ * options.batch;
  if (rest > 0 && rest >= options.smallest_batch) ++batches_;
}

int64_t Loader::images_in(int64_t batches) const {
  return std::min(batches * options_.batch, dataset_.size());
}

void Loader::start_epoch(uint64_t epoch, int64_t first_batch) {
  require(first_batch >= 0 && first_batch <= batches_, "loader",
          "an epoch has {} batches, it cannot begin at batch {}", batches_, first_batch);
  worker_ = {};  // stops and joins one that is in mid-epoch
  order_ = order_of(epoch);
  ready_.clear();
  finished_ = false;
  error_ = nullptr;
  waited_seconds_ = 0;
  try {
    worker_ = std::jthread([this, epoch, first_batch](const std::stop_token& stop) {
      work(stop, epoch, first_batch);
    });
  } catch (const std::system_error& error) {  // no memory for its stack, or too many threads
    finished_ = true;
    throw std::runtime_error(fmt::format("[loader] cannot start its thread: {}", error.what()));
  }
}

bool Loader::next(Batch& batch) {
  const Stopwatch waiting;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty() || finished_; });
  waited_seconds_ += waiting.seconds();
  if (ready_.empty()) {
    if (error_) std::rethrow_exception(error_);
    return false;
  }
  batch = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return true;
}

void Loader::work(const std::stop_token& stop, uint64_t epoch, int64_t first_batch) {
  const auto prefetch = static_cast<size_t>(options_.prefetch);
  std::exception_ptr error;
  try {
    for (int64_t b = first_batch; b < batches_ && !stop.stop_requested(); ++b) {
      Batch batch =
          prepare(epoch, b * options_.batch, std::min((b + 1) * options_.batch, dataset_.size()));
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return ready_.size() < prefetch; })) return;
      ready_.push_back(std::move(batch));
      changed_.notify_all();
    }
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  error_ = error;
  finished_ = true;
  changed_.notify_all();
}

Batch Loader::prepare(uint64_t epoch, int64_t first, int64_t last) {
  const int64_t side = options_.input_size;
  const auto image_size = static_cast<size_t>(side * side * 3);
  Batch batch{Tensor(Shape{last - first, side, side, 3}), {}};
  for (int64_t i = first; i < last; ++i) {
    const int64_t index = order_[i];
    const Image& image = dataset_.images[index];
    const std::span<float> slot =
        batch.input.values().subspan(static_cast<size_t>(i - first) * image_size, image_size);
    if (options_.augmentation) {
      Rng rng(options_.seed, kAugmentationStream + epoch, static_cast<uint64_t>(index));
      preprocess_(augment(image, *options_.augmentation, rng), slot);
    } else {
      preprocess_(image, slot);
    }
    batch.labels.push_back(dataset_.labels[index]);
  }
  return batch;
}

std::vector<int64_t> Loader::order_of(uint64_t epoch) const {
  std::vector<int64_t> order(dataset_.images.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  if (options_.shuffle) Rng(options_.seed, kOrderStream, epoch).shuffle(std::span(order));
  return order;
}

}  // namespace edgeprune
