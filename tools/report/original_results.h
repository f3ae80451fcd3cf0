#pragma once
// What the original study measured: its table and its conclusions, to be set beside ours. It is the
// published study that this project follows: MobileNetV2 on lossless CIFAR-10, a desktop CPU, one
// seed; latency over batches.

#include <array>
#include <optional>
#include <span>
#include <string>

#include "tools/study/records.h"

namespace edgeprune {

/// A figure of the original study, which gives some only as a range over several rows.
struct OriginalFigure {
  double low = 0, high = 0;
  int precision = 1;
  std::string to_string() const;  ///< "91.7", "0.95–1.20"
};

/// A row of its table and which of ours it is: mode mask, no recovery, no limits, in floats. What it calls
/// iterative is our schedule "compounding", with what it asked for, not what it got.
struct OriginalRow {
  std::string method, schedule;
  double target = 0;
  OriginalFigure sparsity, accuracy;      ///< percent; sparsity over all parameters
  std::optional<OriginalFigure> latency;  ///< ms per image
};

std::span<const OriginalRow> original_rows();

/// The original study's row that `row` repeats; null if there is none.
const OriginalRow* find_original_row(const RunRecord& row);

/// Its conclusions, in its order; halves of one that can come out otherwise stand by themselves.
inline constexpr std::array kOriginalClaims = {"30 % unstructured pruning beats the baseline",
                                               "50 % unstructured pruning beats the baseline",
                                               "structured pruning hurts more at the same sparsity",
                                               "iterating softens what structured pruning hurts",
                                               "the iterative schedule overshoots its target",
                                               "no pruning made the CPU faster"};

/// What it proposes for use, and did not try.
inline constexpr const char* kOriginalProposal =
    "The original study proposes to prune first (half of the weights, say) and then to quantise to "
    "8 "
    "bits, for which it names 2 to 4 times the speed on hardware with integer units. It tried "
    "neither quantisation nor both together.";

/// Which study that is, for readers of a report.
inline constexpr const char* kOriginalStudy =
    "The original study is the published one that this study follows: it pruned MobileNetV2 on "
    "CIFAR-10 by magnitude and by channels, at once and iteratively, and timed dense kernels.";

/// What to know before comparing.
inline constexpr const char* kOriginalCircumstances =
    "The original study used lossless CIFAR-10, another machine (a desktop CPU, dense kernels "
    "only) and one seed, and timed batches: compare differences and ratios, not its accuracies and "
    "milliseconds as such.";

}  // namespace edgeprune
