#pragma once
// What the document measured: its table and its conclusions, to be set beside ours. Lossless
// CIFAR-10, a desktop CPU, one seed; latency over batches.

#include <array>
#include <optional>
#include <span>
#include <string>

#include "tools/study/records.h"

namespace edgeprune {

/// A figure of the document, which gives some only as a range over several rows.
struct DocumentFigure {
  double low = 0, high = 0;
  int precision = 1;
  std::string to_string() const;  ///< "91.7", "0.95–1.20"
};

/// A row of the document's table and which of ours it is: mode mask, no recovery. What it calls
/// iterative is our schedule "compounding", with what it asked for, not what it got.
struct DocumentRow {
  std::string method, schedule;
  double target = 0;
  DocumentFigure sparsity, accuracy;      ///< percent; sparsity over all parameters
  std::optional<DocumentFigure> latency;  ///< ms per image
};

std::span<const DocumentRow> document_rows();

/// The document's row that `row` repeats; null if there is none.
const DocumentRow* find_document_row(const RunRecord& row);

/// Its four conclusions, in its order.
inline constexpr std::array kDocumentClaims = {
    "30–50 % unstructured pruning beats the baseline",
    "structured pruning hurts more at the same sparsity, and iterating softens it",
    "the iterative schedule overshoots its target", "no pruning made the CPU faster"};

/// What to know before comparing.
inline constexpr const char* kDocumentCircumstances =
    "The document used lossless CIFAR-10, another machine (a desktop CPU, dense kernels only) and "
    "one seed, and timed batches: compare differences and ratios, not its accuracies and "
    "milliseconds as such.";

}  // namespace edgeprune
