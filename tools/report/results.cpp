#include "tools/report/results.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "tools/report/mcnemar.h"
#include "tools/report/noise.h"
#include "tools/report/query.h"

namespace edgeprune {
namespace {

using Runs = std::vector<const RunRecord*>;

const std::string& row_name(const RunRecord& run) {
  return run.row.empty() ? run.id : run.row;
}

template <typename T>
void average(RunRecord& row, const Runs& runs, T RunRecord::*field) {
  double sum = 0;
  for (const RunRecord* run : runs) sum += static_cast<double>(run->*field);
  row.*field = static_cast<T>(sum / static_cast<double>(runs.size()));
}

/// The mean of times and factors over the seeds that have the cell: over those whose times can be
/// trusted, if there are any.
void average(LatencyCell& cell, const Runs& runs) {
  const Timing timing{cell.batch, cell.threads};
  std::vector<const LatencyCell*> all, trusted;
  for (const RunRecord* run : runs) {
    const LatencyCell* found = find_latency(*run, cell.engine, timing);
    if (found == nullptr) continue;
    all.push_back(found);
    if (trusted_factor(*run, *found) != nullptr) trusted.push_back(found);
  }
  const auto& cells = trusted.empty() ? all : trusted;
  const auto mean = [&](const auto& value) {
    double sum = 0;
    for (const LatencyCell* one : cells) sum += value(*one);
    return sum / static_cast<double>(cells.size());
  };
  for (double LatencyCell::*field :
       {&LatencyCell::median, &LatencyCell::mean, &LatencyCell::p90, &LatencyCell::p99}) {
    cell.*field = mean([=](const LatencyCell& one) { return one.*field; });
  }
  for (const LatencyCell* one : cells) {
    cell.min = std::min(cell.min, one->min);
    cell.max = std::max(cell.max, one->max);
  }
  const auto all_have = [&](const auto& field) {
    const bool every =
        std::ranges::all_of(cells, [=](auto* one) { return (one->*field).has_value(); });
    if (!every) (cell.*field).reset();
    return every;
  };
  for (const auto value : {&LatencyCell::cpu_ms, &LatencyCell::joules}) {
    if (all_have(value)) cell.*value = mean([=](const LatencyCell& one) { return *(one.*value); });
  }
  for (const auto factor : {&LatencyCell::factor, &LatencyCell::integer_factor}) {
    if (!all_have(factor)) continue;
    (cell.*factor).emplace();
    for (double Interval::*end : {&Interval::median, &Interval::low, &Interval::high}) {
      *(cell.*factor).*end = mean([=](const LatencyCell& one) { return *(one.*factor).*end; });
    }
    for (const LatencyCell* one : cells) (cell.*factor)->rounds += (one->*factor)->rounds;
  }
}

RunRecord mean_of(const Runs& runs) {
  RunRecord row = *runs.front();
  row.id = row.row = row_name(row);
  if (runs.size() == 1) return row;
  for (const RunRecord* run : runs) {  // the worst of all seeds: a mean would be of several classes
    const auto& own = run->worst_class;
    if (own && (!row.worst_class || own->recall < row.worst_class->recall)) row.worst_class = own;
  }
  row.correct.clear();  // which images are right on average is nobody's answer
  for (double RunRecord::*field :
       {&RunRecord::accuracy_before, &RunRecord::accuracy, &RunRecord::loss,
        &RunRecord::train_seconds, &RunRecord::seconds_spent}) {
    average(row, runs, field);
  }
  for (LatencyCell& cell : row.latency) average(cell, runs);
  return row;
}

double p_value(const RunRecord& run, const RunRecord& against) {
  try {
    return mcnemar(run.correct, against.correct, run.test_images).p;
  } catch (const std::invalid_argument& error) {
    require(false, "compare", "which images {} and {} have right cannot be read: {}", run.id,
            against.id, error.what());
    return 1;
  }
}

}  // namespace

Results::Results(std::vector<RunRecord> runs, std::optional<StudyAbout> about)
    : runs_(std::move(runs)), about_(std::move(about)) {
  std::vector<std::string> names;
  for (const RunRecord& run : runs_) {
    const std::string& name = row_name(run);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  for (const std::string& name : names) {
    Runs seeds;
    for (const RunRecord& run : runs_) {
      if (row_name(run) == name) seeds.push_back(&run);
    }
    rows_.push_back(mean_of(seeds));
  }
}

std::vector<const RunRecord*> Results::runs_of(const RunRecord& row) const {
  Runs found;
  for (const RunRecord& run : runs_) {
    if (row_name(run) == row.id) found.push_back(&run);
  }
  return found;
}

bool Results::comparable() const {
  constexpr int64_t kEpochs = 10, kTestImages = 10000;
  const RunRecord* unpruned = baseline();
  if (unpruned == nullptr || unpruned->epochs_spent < kEpochs) return false;
  if (!about_) return unpruned->test_images >= kTestImages;
  return about_->whole_training_set() && about_->whole_test_set();
}

double Results::resolution() const {
  const RunRecord* unpruned = baseline();
  if (unpruned == nullptr || unpruned->test_images < 1) return 0;
  constexpr double z = 1.959964;
  const double n = static_cast<double>(unpruned->test_images), p = unpruned->accuracy;
  return z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
}

const RunRecord* Results::baseline() const {
  return find_baseline(rows_);
}

const RunRecord* Results::find(const std::string& method, const std::string& mode,
                               const std::string& schedule, double target) const {
  const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const RunRecord& row) {
    return row.method == method && row.mode == mode && row.schedule == schedule &&
           row.recovery.empty() && row.limits.empty() && !row.is_quantized() &&
           std::abs(row.target - target) < 1e-9;
  });
  return found == rows_.end() ? nullptr : &*found;
}

const RunRecord* Results::in_floats(const RunRecord& row) const {
  const auto found = std::ranges::find_if(rows_, [&](const RunRecord& other) {
    return row.is_quantized() && !other.is_quantized() && other.sha256 == row.parent_sha256;
  });
  return found == rows_.end() ? nullptr : &*found;
}

bool Results::has_quantized() const {
  return std::ranges::any_of(rows_, &RunRecord::is_quantized);
}

Spread Results::accuracy(const RunRecord& row) const {
  const Runs runs = runs_of(row);
  Spread spread{.mean = row.accuracy, .low = row.accuracy, .high = row.accuracy, .seeds = 0};
  for (const RunRecord* run : runs) {
    spread.low = std::min(spread.low, run->accuracy);
    spread.high = std::max(spread.high, run->accuracy);
    ++spread.seeds;
  }
  return spread;
}

Comparison Results::compare(const RunRecord& row, const RunRecord& other) const {
  const Runs others = runs_of(other);
  Comparison result;
  size_t count = 0;
  bool tested = true, up = false, down = false;
  double largest = 0;
  for (const RunRecord* run : runs_of(row)) {
    const auto same_seed = std::find_if(others.begin(), others.end(),
                                        [&](const auto* o) { return o->seed == run->seed; });
    const RunRecord& against = same_seed == others.end() ? *others.front() : **same_seed;
    const double difference = run->accuracy - against.accuracy;
    result.difference += difference;
    (difference > 0 ? up : down) = true;
    ++count;
    if (run->correct.empty() || run->test_images != against.test_images ||
        run->correct.size() != against.correct.size()) {
      tested = false;
    } else {
      largest = std::max(largest, p_value(*run, against));
    }
  }
  result.difference /= static_cast<double>(std::max<size_t>(1, count));
  if (tested && count > 0) result.p = up && down ? 1.0 : largest;
  return result;
}

}  // namespace edgeprune
