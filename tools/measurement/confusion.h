#pragma once
// What a classifier makes of each class: the one result from which accuracy, recall, precision and
// balanced accuracy follow.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/cli/table.h"

namespace edgeprune {

/// For two classes: an image is called `positive` if that class's probability is `probability` at
/// least, instead of if it is the larger one.
struct Threshold {
  int positive = 1;          ///< 0 or 1
  double probability = 0.5;  ///< between 0 and 1
};

/// By image, the class of its largest logit, a tie going to the first; or what the threshold says.
/// logits [images,classes]. Throws std::invalid_argument if there is a threshold, but not two
/// classes.
std::vector<int> predicted_classes(const Tensor& logits,
                                   const std::optional<Threshold>& threshold = {});

/// exp(logit) / sum, in float64.
std::vector<double> softmax(std::span<const float> logits);

/// Fractions without anything to divide by have no value.
class Confusion {
 public:
  /// Labels and predictions are indices into `classes`. Throws std::invalid_argument if they are
  /// not, or are not equally many.
  Confusion(std::vector<std::string> classes, const std::vector<int>& labels,
            const std::vector<int>& predictions);

  const std::vector<std::string>& classes() const { return classes_; }
  /// How many images of class `label` are called `prediction`.
  int64_t count(size_t label, size_t prediction) const;
  int64_t images() const;                           ///< all
  int64_t images_of(size_t label) const;            ///< of a class
  int64_t called(size_t prediction) const;          ///< said to be of a class, rightly or not
  int64_t correct() const;                          ///< on the diagonal
  double accuracy() const;                          ///< 0 without images
  std::optional<double> recall(size_t c) const;     ///< of the images of c, the share called c
  std::optional<double> precision(size_t c) const;  ///< of the images called c, the share of c
  std::optional<double> f1(size_t c) const;         ///< harmonic mean of the two
  /// Mean recall of the classes that have images: what accuracy would be if all were equally many.
  std::optional<double> balanced_accuracy() const;
  /// The class of least recall, the first if there are several; none without images.
  std::optional<size_t> worst() const;

  /// A line a class: images, how many are called so, how many rightly, recall, precision, F1.
  Table class_table() const;
  /// A line a class, a column for each class that it may be called.
  Table matrix_table() const;

 private:
  std::vector<std::string> classes_;
  std::vector<int64_t> counts_;  ///< [label,prediction]
};

}  // namespace edgeprune
