#pragma once
// What kernels, changes of format and whole plans take on this machine.

#include <map>
#include <string>
#include <vector>

#include "engine/inference/assignment.h"

namespace edgeprune::inference {

/// Times of one graph at one batch and the number of threads in force, in seconds an image: kept in a
/// table by what they depend on, so that alike layers and later graphs share them. Of weights that is
/// their share of zeros, and only where they are read sparse.
class KernelTimes {
 public:
  using Table = std::map<std::string, double>;

  /// `graph` and `known` are used as long as this lives.
  KernelTimes(const Graph& graph, int64_t batch, Table& known);

  /// "csr: 160x960 at 2x2, 83 % zeros; 1 of 16 images, 2 threads"
  std::string of_kernel(const Kernel& kernel, size_t first, const Section& section) const;
  /// Layer -1: the images. From a format to itself: gathering.
  std::string of_change(Format from, Format to, int layer, const Section& section) const;
  /// Names the plan by a digest of what it runs.
  std::string of_plan(const Assignment& assignment) const;

  bool knows(const std::string& what) const { return known_.contains(what); }
  /// Infinite if unknown.
  double operator[](const std::string& what) const;

  /// Times every kernel of these plans that is unknown: they run in turns, so that each layer finds its
  /// weights and inputs in the caches as it would in earnest. Lower quartiles are kept.
  void take_kernels(const std::vector<Assignment>& plans);
  /// Times a change by itself.
  void take_change(Format from, Format to, int layer, const Section& section);
  /// Times whole plans in turns, if one is unknown: the first one, unless it is known, and the others
  /// by the median of their ratios to it, since machines drift.
  void take_plans(const std::vector<Assignment>& plans);

  /// By layer: the share of zeros among its weights, 0 if it has none.
  const std::vector<double>& zeros() const { return zeros_; }

 private:
  std::string surroundings(const Section& section) const;

  const Graph& graph_;
  int64_t batch_;
  Table& known_;
  std::vector<double> zeros_;
};

}  // namespace edgeprune::inference
