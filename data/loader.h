#pragma once
// Batches for training and evaluation, prepared in the background.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "data/preprocess.h"
#include "engine/tensor/tensor.h"

namespace edgeprune {

struct Batch {
  Tensor input;  ///< [B, S, S, 3]
  std::vector<int> labels;
};

struct LoaderOptions {
  int64_t batch = 128;
  int input_size = 64;
  Normalisation normalisation = imagenet_normalisation();
  bool shuffle = false;
  std::optional<Augmentation> augmentation;  ///< none for evaluation
  uint64_t seed = 0;
  /// A last batch of fewer images is left out, unless it is the only one.
  int64_t smallest_batch = 1;
  int prefetch = 2;  ///< batches prepared ahead
};

/// Walks a dataset in batches. One thread of its own prepares the next ones while the caller works
/// on the current one; it uses no other threads. The images' order is a function of (seed, epoch),
/// their augmentation of (seed, epoch, index of the image), neither of timing: an epoch begun in
/// the middle goes on exactly as it would have from the start. Its methods are for one thread.
class Loader {
 public:
  /// The dataset must outlive the loader. Throws std::invalid_argument if an option is out of
  /// range, or the dataset is empty or its labels do not fit its images and classes.
  Loader(const Dataset& dataset, const LoaderOptions& options);
  Loader(Dataset&&, const LoaderOptions&) = delete;

  int64_t batches() const { return batches_; }  ///< an epoch
  /// In the first `batches` of an epoch.
  int64_t images_in(int64_t batches) const;

  /// Begins an epoch (leaving one that has not ended) at batch `first_batch`. Throws
  /// std::invalid_argument unless 0 <= first_batch <= batches(), std::runtime_error if the thread
  /// cannot be started.
  void start_epoch(uint64_t epoch, int64_t first_batch = 0);

  /// The next batch; false at the epoch's end, or if none was begun. Rethrows what went wrong in
  /// preparing it.
  bool next(Batch& batch);

  /// How long next() has waited for batches since start_epoch().
  double waited_seconds() const { return waited_seconds_; }

 private:
  void work(const std::stop_token& stop, uint64_t epoch, int64_t first_batch);
  Batch prepare(uint64_t epoch, int64_t first, int64_t last);
  std::vector<int64_t> order_of(uint64_t epoch) const;

  const Dataset& dataset_;
  const LoaderOptions options_;
  int64_t batches_ = 0;
  double waited_seconds_ = 0;

  // The worker's own, while it runs.
  std::vector<int64_t> order_;
  Preprocessor preprocess_;

  std::mutex mutex_;  ///< guards the three below
  std::deque<Batch> ready_;
  bool finished_ = true;
  std::exception_ptr error_;

  std::condition_variable_any changed_;
  std::jthread worker_;  ///< last: stopped and joined before anything that it uses is destroyed
};

}  // namespace edgeprune
