#include "engine/sparse/sparse_weights.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace edgeprune::sparse {
namespace {

/// 144 channels of a 64-wide panel are 36 of 48 KB of first-level cache; the rest is for the output
/// and the weights. Narrower panels are never cut for that (960 channels x 16 columns are 60 KB);
/// any is where offsets would pass 16 bits.
int64_t channels_a_block(int64_t channels, int64_t width) {
  const char* e = getenv("SP_BLOCK");
  const int64_t most = width == PanelLayout::kWidth ? (e ? atoi(e) : 144)
                                                    : std::numeric_limits<uint16_t>::max() / width;
  const int64_t blocks = std::max<int64_t>(1, (channels + most - 1) / most);
  return std::max<int64_t>(1, (channels + blocks - 1) / blocks);
}

}  // namespace

SparseWeights::SparseWeights(const CsrMatrix& matrix, int64_t columns)
    : rows_(matrix.rows),
      channels_(matrix.columns),
      width_(PanelLayout{matrix.columns, columns}.width()),
      block_channels_(channels_a_block(channels_, width_)) {
  const auto nnz_of_row = [&](int32_t row) {
    return matrix.row_ptr[row + 1] - matrix.row_ptr[row];
  };
  std::vector<int32_t> sorted(static_cast<size_t>(rows_));
  std::iota(sorted.begin(), sorted.end(), 0);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](int32_t a, int32_t b) { return nnz_of_row(a) > nnz_of_row(b); });
  cost_.push_back(0);
  constexpr int64_t kRowCost = 4;  // starting and storing a row, in nonzeros
  for (int64_t g = 0; g < groups(); ++g) {
    int64_t cost = cost_.back();
    for (int64_t i = g * kGroup; i < std::min(rows_, (g + 1) * kGroup); ++i) {
      cost += kRowCost + nnz_of_row(sorted[static_cast<size_t>(i)]);
    }
    cost_.push_back(cost);
  }
  values_.reserve(matrix.values.size());
  offsets_.reserve(matrix.values.size());
  struct Part {
    int32_t row, begin, end;
  };
  std::vector<Part> parts;
  for (int64_t block = 0; block < blocks(); ++block) {
    const int64_t first = block * block_channels_, last = first + block_channels_;
    for (int64_t g = 0; g < groups(); ++g) {
      parts.clear();
      for (int64_t i = g * kGroup; i < std::min(rows_, (g + 1) * kGroup); ++i) {
        const int32_t row = sorted[static_cast<size_t>(i)];
        const auto begin = matrix.col_idx.begin() + matrix.row_ptr[row];
        const auto end = matrix.col_idx.begin() + matrix.row_ptr[row + 1];
        const auto from = std::lower_bound(begin, end, first);
        const auto to = std::lower_bound(from, end, last);
        parts.push_back({row, static_cast<int32_t>(from - matrix.col_idx.begin()),
                         static_cast<int32_t>(to - matrix.col_idx.begin())});
      }
      std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
        return a.end - a.begin > b.end - b.begin;
      });
      first_value_.push_back(nnz());
      for (const Part& part : parts) {
        order_.push_back({part.row, part.end - part.begin});
        for (int32_t i = part.begin; i < part.end; ++i) {
          values_.push_back(matrix.values[i]);
          offsets_.push_back(static_cast<uint16_t>((matrix.col_idx[i] - first) * width_));
        }
      }
    }
  }
}

int64_t SparseWeights::bytes() const {
  const auto size = [](const auto& v) { return static_cast<int64_t>(v.size() * sizeof(v[0])); };
  return size(order_) + size(first_value_) + size(cost_) + size(values_) + size(offsets_);
}

}  // namespace edgeprune::sparse
