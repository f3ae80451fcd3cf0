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
using simd::HWY_NAMESPACE::Vec;

/// One row of weights times kVectors vectors of columns, summed in registers.
template <int kVectors, Activation kActivation>
HWY_INLINE void row_times_columns(const CsrMatrix& weights, int64_t row, const float* input,
                                  int64_t stride, float bias, const float* residual,
                                  float* output) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Vec sum[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    sum[v] = hn::Set(d, bias);
    if (residual != nullptr) sum[v] = hn::Add(sum[v], hn::LoadU(d, residual + v * lanes));
  }
  for (int32_t i = weights.row_ptr[row]; i < weights.row_ptr[row + 1]; ++i) {
    const Vec w = hn::Set(d, weights.values[i]);
    const float* x = input + weights.col_idx[i] * stride;
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(w, hn::LoadU(d, x + v * lanes), sum[v]);
  }
  for (int v = 0; v < kVectors; ++v)
    hn::StoreU(activate<kActivation>(sum[v]), d, output + v * lanes);
}

/// Items [begin, end) of panels x rows, panel by panel.
template <Activation kActivation>
void spmm_items(const CsrMatrix& weights, const Panels& in, const float* input, const float* bias,
                const float* residual, float* output, int64_t begin, int64_t end) {
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
      row_times_columns<4, kActivation>(weights, row, x + column, width, bias[row],
                                        r == nullptr ? r : r + column, output + at + column);
    }
    for (; column < width; column += lanes) {
      row_times_columns<1, kActivation>(weights, row, x + column, width, bias[row],
                                        r == nullptr ? r : r + column, output + at + column);
    }
  }
}

void spmm_range(const CsrMatrix& weights, const Panels& in, const float* input, const float* bias,
                const float* residual, Activation activation, float* output, int64_t begin,
                int64_t end) {
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
  const Panels in{weights.columns, columns};
  parallel_for(in.count() * weights.rows, 16, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(spmm_range)
    (weights, in, input, bias, residual, activation, output, begin, end);
  });
}

void spmm_scalar(const CsrMatrix& weights, int64_t columns, const float* input, const float* bias,
                 const float* residual, Activation activation, float* output) {
  const Panels in{weights.columns, columns}, out{weights.rows, columns};
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
