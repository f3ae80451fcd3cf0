#include "engine/kernels/onednn/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "engine/base/random.h"
#include "engine/kernels/onednn/conv2d.h"

namespace edgeprune::onednn {
namespace {

Conv2dShape small(Conv2dShape shape) {
  constexpr int64_t kImages = 2, kSide = 8;
  shape.batch = std::min(shape.batch, kImages);
  shape.in_height = std::min(shape.in_height, std::max(kSide, shape.kernel));
  shape.in_width = std::min(shape.in_width, std::max(kSide, shape.kernel));
  return shape;
}

std::vector<float> random_numbers(int64_t count, float most, uint64_t stream) {
  Rng rng(0, stream);
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& number : numbers) number = rng.uniform(-most, most);
  return numbers;
}

}  // namespace

// Sums of some 3 in size, so that ReLU6 clips some of them at either end.
Trial::Trial(const Conv2dShape& of)
    : shape(small(of)),
      input(random_numbers(shape.input_count(), 3.0f, 1)),
      weights(random_numbers(
          shape.weight_count(),
          3.0f / std::sqrt(static_cast<float>(shape.weight_count() / shape.out_channels)), 2)),
      bias(random_numbers(shape.out_channels, 3.0f, 3)),
      output(random_numbers(shape.output_count(), 3.0f, 4)) {}

bool agree(const std::vector<float>& actual, const std::vector<float>& expected) {
  float largest = 0.0f;
  for (const float value : expected) largest = std::max(largest, std::abs(value));
  const float tolerance =
      1e-4f * largest;  // rounding: some 1e-6; faults are as large as the values
  return std::equal(actual.begin(), actual.end(), expected.begin(), expected.end(),
                    [=](float a, float b) { return std::abs(a - b) <= tolerance; });
}

bool is_right(const std::string& name, const Conv2dShape& shape, const Computation& actual,
              const Computation& expected) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, Conv2dShape>, bool> verdicts;
  const std::pair key(name, small(shape));
  {
    const std::lock_guard lock(mutex);
    if (const auto found = verdicts.find(key); found != verdicts.end()) return found->second;
  }
  const Trial trial(shape);
  const bool verdict = agree(actual(trial), expected(trial));
  const std::lock_guard lock(mutex);
  verdicts.emplace(key, verdict);
  return verdict;
}

void require_right(const std::string& name, const Conv2dShape& shape, const Computation& actual,
                   const Computation& expected) {
  if (is_right(name, shape, actual, expected)) return;
  throw std::runtime_error(
      fmt::format("[onednn] oneDNN {} computes a wrong {} on this CPU ({} -> {} channels, kernel "
                  "{}, stride {}, "
                  "groups {}) and is not used",
                  version(), name, shape.in_channels, shape.out_channels, shape.kernel,
                  shape.stride, shape.groups));
}

}  // namespace edgeprune::onednn
