#include "engine/sparse/sparse_weights.h"

#include <algorithm>
#include <numeric>

#include "engine/base/buffer.h"
#include "engine/kernels/simd/target.h"

namespace edgeprune::sparse {
namespace {

/// 36 of the 48 KB that a first-level cache has; the rest is for the output and the weights.
/// Measured with 64 columns (144 channels) at 960 channels: 96 to 160 are equally good, 250 cost
/// 10 % at 80 % zeros and more than half at none.
constexpr int64_t kBlockFloats = 9216;
/// Nonzeros that a row should have in a block: with fewer, adding block by block to the output
/// costs more than activations from the second-level cache.
constexpr int64_t kBlockNonzeros = 10;
constexpr int64_t kOffsets = 1 << 16;

/// Equal blocks.
int64_t channels_of_a_block(const CsrMatrix& matrix, int64_t width) {
  const auto blocks_of = [&](int64_t floats) {
    return std::max<int64_t>(1, (matrix.columns * width + floats - 1) / floats);
  };
  const int64_t worthwhile = matrix.nnz() / std::max<int64_t>(1, matrix.rows * kBlockNonzeros);
  const int64_t blocks =
      std::max(blocks_of(kOffsets - width), std::min(blocks_of(kBlockFloats), worthwhile));
  return std::max<int64_t>(1, (matrix.columns + blocks - 1) / blocks);
}

/// Four channels of four columns fill a vector of 512 bits: one load serves up to four nonzeros.
/// Measured on Zen 5, such a unit costs as much as 1.3 single nonzeros, 1.45 with weights from the
/// third-level cache: it pays to 75 % zeros if they are scattered, further if they come together.
/// (Values without the zeros, spread by vexpandps, would save memory; three times slower on Zen 5.)
bool fours_pay(const CsrMatrix& matrix, int64_t width) {
  if (width != 4 || matrix.columns < 4 || matrix.columns > kBlockFloats / width) return false;
  if (simd::vector_bytes() < 64) return false;
  int64_t fours = 0;
  for (int64_t row = 0; row < matrix.rows; ++row) {
    int32_t last = -1;
    for (int32_t i = matrix.row_ptr[row]; i < matrix.row_ptr[row + 1]; ++i) {
      const int32_t four = matrix.col_idx[i] / 4;
      if (four != last) ++fours;
      last = four;
    }
  }
  return 1.4 * static_cast<double>(fours) < static_cast<double>(matrix.nnz());
}

/// Rows as the tables want them: sorted by nonzeros, most first.
template <typename Item, typename Count>
void sort_by_nonzeros(std::vector<Item>& items, const Count& count) {
  std::stable_sort(items.begin(), items.end(),
                   [&](const Item& a, const Item& b) { return count(a) > count(b); });
}

}  // namespace

SparseWeights::SparseWeights(const CsrMatrix& matrix, int64_t columns)
    : rows_(matrix.rows),
      channels_(matrix.columns),
      nnz_(matrix.nnz()),
      width_(PanelLayout{matrix.columns, columns}.width()),
      block_channels_(channels_of_a_block(matrix, width_)),
      by_fours_(fours_pay(matrix, width_)) {
  const auto row_nnz = [&](int32_t row) { return matrix.row_ptr[row + 1] - matrix.row_ptr[row]; };
  std::vector<int32_t> sorted(static_cast<size_t>(rows_));
  std::iota(sorted.begin(), sorted.end(), 0);
  sort_by_nonzeros(sorted, row_nnz);

  constexpr int64_t kRowCost = 6;  // to start and store a row, in nonzeros
  cost_.push_back(0);
  for (int64_t i = 0; i < rows_; ++i) {
    if (i % kGroup == 0) cost_.push_back(cost_.back());
    cost_.back() += kRowCost + row_nnz(sorted[static_cast<size_t>(i)]);
  }

  struct Part {  // of a row: its nonzeros [begin, end) of a block
    int32_t row, begin, end;
  };
  std::vector<Part> parts;
  std::vector<float> values;
  for (int64_t block = 0; block < blocks(); ++block) {
    const int64_t first = block * block_channels_;
    const int64_t last = std::min(channels_, first + block_channels_);
    for (int64_t group = 0; group < groups(); ++group) {
      parts.clear();
      for (int64_t i = group * kGroup; i < std::min(rows_, (group + 1) * kGroup); ++i) {
        const int32_t row = sorted[static_cast<size_t>(i)];
        const auto start = matrix.col_idx.begin();
        const auto begin =
            std::lower_bound(start + matrix.row_ptr[row], start + matrix.row_ptr[row + 1], first);
        const auto end = std::lower_bound(begin, start + matrix.row_ptr[row + 1], last);
        parts.push_back(
            {row, static_cast<int32_t>(begin - start), static_cast<int32_t>(end - start)});
      }
      sort_by_nonzeros(parts, [](const Part& part) { return part.end - part.begin; });

      first_unit_.push_back(static_cast<int64_t>(offsets_.size()));
      for (const Part& part : parts) {
        const size_t units_before = offsets_.size();
        if (by_fours_) {
          append_fours(matrix, part.begin, part.end, values);
        } else {
          for (int32_t i = part.begin; i < part.end; ++i) {
            offsets_.push_back(static_cast<uint16_t>((matrix.col_idx[i] - first) * width_));
          }
          values.insert(values.end(), matrix.values.begin() + part.begin,
                        matrix.values.begin() + part.end);
        }
        order_.push_back({part.row, static_cast<int32_t>(offsets_.size() - units_before)});
      }
    }
  }
  values_ = allocate_floats(values.size());
  std::copy(values.begin(), values.end(), values_.get());
}

void SparseWeights::append_fours(const CsrMatrix& matrix, int32_t begin, int32_t end,
                                 std::vector<float>& values) {
  const size_t units_before = offsets_.size();
  for (int32_t i = begin; i < end; ++i) {
    const int64_t channel = matrix.col_idx[i];
    // The last four end with the last channel, so that nothing behind it is read.
    const int64_t four = std::min(channel / 4 * 4, channels_ - 4);
    const auto offset = static_cast<uint16_t>(four * width_);
    if (offsets_.size() == units_before || offsets_.back() != offset) {
      offsets_.push_back(offset);
      values.resize(values.size() + 4, 0.0f);
    }
    *(values.end() - 4 + (channel - four)) = matrix.values[i];
  }
  while ((offsets_.size() - units_before) % 4 != 0) {
    offsets_.push_back(offsets_.back());
    values.resize(values.size() + 4, 0.0f);
  }
}

bool SparseWeights::two_panels_fit() const {
  return 2 * block_channels_ * width_ <= kBlockFloats;
}

int64_t SparseWeights::bytes() const {
  const auto size = [](const auto& v) { return v.size() * sizeof(v[0]); };
  const size_t values = offsets_.size() * (by_fours_ ? 4 : 1) * sizeof(float);
  return static_cast<int64_t>(size(order_) + size(cost_) + size(first_unit_) + size(offsets_) +
                              values);
}

}  // namespace edgeprune::sparse
