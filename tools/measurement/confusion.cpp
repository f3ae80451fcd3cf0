#include "tools/measurement/confusion.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

std::optional<double> share(int64_t part, int64_t whole) {
  if (whole == 0) return std::nullopt;
  return double(part) / double(whole);
}

Cell percent_cell(const std::optional<double>& fraction) {
  return fraction ? Cell(Number{100 * *fraction, 2}) : Cell();
}

}  // namespace

std::vector<double> softmax(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> probabilities;
  for (const float logit : logits) probabilities.push_back(std::exp(logit - largest));
  const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  for (double& p : probabilities) p /= sum;
  return probabilities;
}

std::vector<int> predicted_classes(const Tensor& logits,
                                   const std::optional<Threshold>& threshold) {
  require(logits.defined() && logits.shape().rank() == 2 && logits.dim(1) > 0, "predict",
          "expected logits [images,classes], got {}",
          logits.defined() ? logits.shape().to_string() : "none");
  const auto classes = static_cast<size_t>(logits.dim(1));
  if (threshold) {
    require(classes == 2, "threshold", "a threshold is for two classes, the model has {}", classes);
    require(threshold->positive == 0 || threshold->positive == 1, "threshold",
            "expected positive class 0 or 1, got {}", threshold->positive);
    require(threshold->probability >= 0 && threshold->probability <= 1, "threshold",
            "expected a probability between 0 and 1, got {}", threshold->probability);
  }
  std::vector<int> predictions;
  for (int64_t n = 0; n < logits.dim(0); ++n) {
    const auto row = logits.values().subspan(static_cast<size_t>(n) * classes, classes);
    if (threshold) {
      const int positive = threshold->positive;
      const double probability = softmax(row)[static_cast<size_t>(positive)];
      predictions.push_back(probability >= threshold->probability ? positive : 1 - positive);
    } else {
      predictions.push_back(
          static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()));
    }
  }
  return predictions;
}

Confusion::Confusion(std::vector<std::string> classes, const std::vector<int>& labels,
                     const std::vector<int>& predictions)
    : classes_(std::move(classes)), counts_(classes_.size() * classes_.size(), 0) {
  require(labels.size() == predictions.size(), "confusion", "{} labels for {} predictions",
          labels.size(), predictions.size());
  const int k = static_cast<int>(classes_.size());
  for (size_t n = 0; n < labels.size(); ++n) {
    require(labels[n] >= 0 && labels[n] < k && predictions[n] >= 0 && predictions[n] < k,
            "confusion", "image {} is of class {}, called {}, of {} classes", n, labels[n],
            predictions[n], k);
    ++counts_[static_cast<size_t>(labels[n] * k + predictions[n])];
  }
}

int64_t Confusion::count(size_t label, size_t prediction) const {
  return counts_.at(label * classes_.size() + prediction);
}

int64_t Confusion::images() const {
  return std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
}

int64_t Confusion::images_of(size_t label) const {
  int64_t sum = 0;
  for (size_t p = 0; p < classes_.size(); ++p) sum += count(label, p);
  return sum;
}

int64_t Confusion::called(size_t prediction) const {
  int64_t sum = 0;
  for (size_t l = 0; l < classes_.size(); ++l) sum += count(l, prediction);
  return sum;
}

int64_t Confusion::correct() const {
  int64_t sum = 0;
  for (size_t c = 0; c < classes_.size(); ++c) sum += count(c, c);
  return sum;
}

double Confusion::accuracy() const {
  return share(correct(), images()).value_or(0);
}

std::optional<double> Confusion::recall(size_t c) const {
  return share(count(c, c), images_of(c));
}

std::optional<double> Confusion::precision(size_t c) const {
  return share(count(c, c), called(c));
}

std::optional<double> Confusion::f1(size_t c) const {
  return share(2 * count(c, c), images_of(c) + called(c));
}

std::optional<double> Confusion::balanced_accuracy() const {
  double sum = 0;
  int64_t present = 0;
  for (size_t c = 0; c < classes_.size(); ++c) {
    if (const auto own = recall(c)) {
      sum += *own;
      ++present;
    }
  }
  return present > 0 ? std::optional(sum / double(present)) : std::nullopt;
}

std::optional<size_t> Confusion::worst() const {
  std::optional<size_t> worst;
  for (size_t c = 0; c < classes_.size(); ++c) {
    if (images_of(c) > 0 && (!worst || *recall(c) < *recall(*worst))) worst = c;
  }
  return worst;
}

Table Confusion::class_table() const {
  Table table({{"class", "class", Align::left},
               {"images", "images"},
               {"called so", "called"},
               {"rightly", "correct"},
               {"recall %", "recall_percent"},
               {"precision %", "precision_percent"},
               {"F1 %", "f1_percent"}});
  for (size_t c = 0; c < classes_.size(); ++c) {
    table.add_row({classes_[c], images_of(c), called(c), count(c, c), percent_cell(recall(c)),
                   percent_cell(precision(c)), percent_cell(f1(c))});
  }
  return table;
}

Table Confusion::matrix_table() const {
  std::vector<Column> columns{{"class", "class", Align::left}};
  for (const std::string& name : classes_) columns.push_back({"called " + name, "called " + name});
  Table table(std::move(columns));
  for (size_t l = 0; l < classes_.size(); ++l) {
    std::vector<Cell> row{classes_[l]};
    for (size_t p = 0; p < classes_.size(); ++p) row.emplace_back(count(l, p));
    table.add_row(std::move(row));
  }
  return table;
}

}  // namespace edgeprune
