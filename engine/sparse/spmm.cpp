#include "engine/sparse/spmm.h"

#include <algorithm>

#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/sparse/spmm.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::sparse::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::activate;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::Full;
using simd::HWY_NAMESPACE::Partial;
using simd::HWY_NAMESPACE::Vec;

/// One row of weights times kVectors vectors of columns, summed in registers. Consecutive nonzeros
/// go to different sums, so that kVectors x kChains multiply-adds are under way at once: one alone
/// would wait out the latency of the last.
template <int kVectors, Activation kActivation, typename Access>
HWY_INLINE void row_times_columns(Access access, const CsrMatrix& weights, int64_t row,
                                  const float* input, int64_t stride, float bias,
                                  const float* residual, float* output) {
  constexpr int kChains = 8 / kVectors;
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Vec sums[kChains][kVectors];
  for (int v = 0; v < kVectors; ++v) {
    sums[0][v] = hn::Set(d, bias);
    if (residual != nullptr) sums[0][v] = hn::Add(sums[0][v], access.load(residual + v * lanes));
    for (int chain = 1; chain < kChains; ++chain) sums[chain][v] = hn::Zero(d);
  }
  const auto add_product = [&](int32_t i, Vec* sum) HWY_ATTR {
    const Vec w = hn::Set(d, weights.values[i]);
    const float* x = input + weights.col_idx[i] * stride;
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(w, access.load(x + v * lanes), sum[v]);
  };
  const int32_t end = weights.row_ptr[row + 1];
  int32_t i = weights.row_ptr[row];
  for (; i + kChains <= end; i += kChains) {
    for (int chain = 0; chain < kChains; ++chain) add_product(i + chain, sums[chain]);
  }
  for (; i < end; ++i) add_product(i, sums[0]);
  for (int v = 0; v < kVectors; ++v) {
    Vec sum = sums[0][v];
    for (int chain = 1; chain < kChains; ++chain) sum = hn::Add(sum, sums[chain][v]);
    access.store(activate<kActivation>(sum), output + v * lanes);
  }
}

/// Items [begin, end) of panels x rows, panel by panel.
template <Activation kActivation>
void spmm_items(const CsrMatrix& weights, const PanelLayout& in, const float* input,
                const float* bias, const float* residual, float* output, int64_t begin,
                int64_t end) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t width = in.width();
  for (int64_t item = begin; item < end; ++item) {
    const int64_t panel = item / weights.rows, row = item % weights.rows;
    const float* x = input + panel * in.channels * width;
    const int64_t at = item * width;
    const float* r = residual == nullptr ? nullptr : residual + at;
    int64_t column = 0;
    for (; column + 4 * lanes <= width; column += 4 * lanes) {
      row_times_columns<4, kActivation>(Full{}, weights, row, x + column, width, bias[row],
                                        r == nullptr ? r : r + column, output + at + column);
    }
    for (; column + lanes <= width; column += lanes) {
      row_times_columns<1, kActivation>(Full{}, weights, row, x + column, width, bias[row],
                                        r == nullptr ? r : r + column, output + at + column);
    }
    if (column < width) {
      row_times_columns<1, kActivation>(Partial(static_cast<size_t>(width - column)), weights, row,
                                        x + column, width, bias[row], r == nullptr ? r : r + column,
                                        output + at + column);
    }
  }
}

void spmm_range(const CsrMatrix& weights, const PanelLayout& in, const float* input,
                const float* bias, const float* residual, Activation activation, float* output,
                int64_t begin, int64_t end) {
  const auto items = activation == Activation::relu6 ? spmm_items<Activation::relu6>
                                                     : spmm_items<Activation::none>;
  items(weights, in, input, bias, residual, output, begin, end);
}

}  // namespace edgeprune::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::sparse {

HWY_EXPORT(spmm_range);

void spmm(const CsrMatrix& weights, int64_t columns, const float* input, const float* bias,
          const float* residual, Activation activation, float* output) {
  const PanelLayout in{weights.columns, columns};
  parallel_for(in.count() * weights.rows, 16, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(spmm_range)
    (weights, in, input, bias, residual, activation, output, begin, end);
  });
}

void spmm_scalar(const CsrMatrix& weights, int64_t columns, const float* input, const float* bias,
                 const float* residual, Activation activation, float* output) {
  const PanelLayout in{weights.columns, columns}, out{weights.rows, columns};
  for (int64_t row = 0; row < weights.rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      double sum = bias[row];
      for (int32_t i = weights.row_ptr[row]; i < weights.row_ptr[row + 1]; ++i) {
        sum += double(weights.values[i]) * input[in.offset(weights.col_idx[i], column)];
      }
      const int64_t at = out.offset(row, column);
      if (residual != nullptr) sum += residual[at];
      if (activation == Activation::relu6) sum = std::clamp(sum, 0.0, 6.0);
      output[at] = static_cast<float>(sum);
    }
  }
}

}  // namespace edgeprune::sparse
#endif
