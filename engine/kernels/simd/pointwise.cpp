#include "engine/kernels/simd/pointwise.h"

#include <hwy/cache_control.h>

#include <algorithm>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/base/parallel.h"
#include "engine/kernels/simd/row_blocks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/simd/pointwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/gemm-inl.h"
#include "engine/kernels/simd/sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

size_t panels_size(int64_t rows, int64_t columns) {
  return static_cast<size_t>(Panels::size(rows, columns));
}

/// Weights [out, in] as the forward product's right factor, [in, out].
void pack_forward(const PointwiseShape& s, const float* weights, float* packed) {
  const Panels panels{packed, s.in_channels, s.out_channels};
  parallel_for(panels.count(), 1, [&](int64_t begin, int64_t end, int) {
    pack_transposed(weights, panels, begin, end);
  });
}

/// As the backward product's, [out, in].
void pack_backward(const PointwiseShape& s, const float* weights, float* packed) {
  const Panels panels{packed, s.out_channels, s.in_channels};
  parallel_for(s.out_channels, 32, [&](int64_t begin, int64_t end, int) HWY_ATTR {
    pack_rows(PlainReader{weights, s.in_channels}, 0, panels, begin, end);
  });
  panels.clear_padding_rows();
}

/// Rows [begin, end) of `tensor`, if there are any, to what is fetched ahead.
inline void add_rows(const float* tensor, int64_t channels, int64_t begin, int64_t end,
                     Ahead& ahead) {
  if (begin < end) ahead.add(tensor + begin * channels, (end - begin) * channels);
}

void forward_range(const PointwiseShape& s, const Normalized& input, const float* packed,
                   float* output, PartMoments* moments, int64_t begin, int64_t end) {
  const int64_t most = block_rows(s.in_channels + s.out_channels);
  const auto scratch = allocate_floats(static_cast<size_t>(Tiles::size(most, s.in_channels)));
  const Panels weights{const_cast<float*>(packed), s.in_channels, s.out_channels};
  const BlockOutput out(output, s.rows, s.out_channels, most);
  with_reader(input, s.in_channels, [&](const auto& reader) HWY_ATTR {
    for (int64_t row = begin; row < end; row += most) {
      const Tiles tiles{scratch.get(), std::min(most, end - row), s.in_channels};
      pack(reader, row, tiles);
      Ahead ahead;
      add_rows(input.data, s.in_channels, row + most, std::min(end, row + 2 * most), ahead);
      ahead.spread_over(calls_of_multiply(tiles, weights));
      multiply(tiles, weights, out.block(row), ahead);
      add_moments(out.block(row), tiles.rows, s.out_channels, out.destination(row), moments);
    }
  });
  hwy::FlushStream();
}

/// `grad_weights` is overwritten with these rows' share of it.
void backward_range(const PointwiseShape& s, const NormalizedGradient& grad_output,
                    const Normalized& input, const float* packed, const float* mean,
                    float* grad_input, PartSums* sums, float* grad_weights, int64_t begin,
                    int64_t end) {
  const int64_t most = block_rows(s.in_channels + s.out_channels);
  const auto grad_block = allocate_floats(static_cast<size_t>(Tiles::size(most, s.out_channels)));
  const auto input_block = allocate_floats(static_cast<size_t>(Panels::size(most, s.in_channels)));
  const Panels weights{const_cast<float*>(packed), s.out_channels, s.in_channels};
  const BlockOutput out(grad_input, s.rows, s.in_channels, most);
  for (int64_t row = begin; row < end; row += most) {
    const int64_t rows = std::min(most, end - row);
    const Tiles grad{grad_block.get(), rows, s.out_channels};
    const Panels values{input_block.get(), rows, s.in_channels};
    Ahead ahead;
    const int64_t next = row + most, next_end = std::min(end, next + most);
    add_rows(input.data, s.in_channels, next, next_end, ahead);
    add_rows(grad_output.data, s.out_channels, next, next_end, ahead);
    if (grad_output.a != nullptr) {
      add_rows(grad_output.output.data, s.out_channels, next, next_end, ahead);
    }
    ahead.spread_over((grad_weights != nullptr ? tiles_of(s.out_channels, values) : 0) +
                      (grad_input != nullptr ? calls_of_multiply(grad, weights) : 0));
    with_reader(grad_output, s.out_channels,
                [&](const auto& reader) HWY_ATTR { pack(reader, row, grad); });
    if (grad_weights != nullptr) {
      with_reader(input, s.in_channels,
                  [&](const auto& reader) HWY_ATTR { pack(reader, row, values); });
      multiply_transposed(grad, values, grad_weights, row > begin, ahead);
    }
    if (grad_input == nullptr) continue;
    multiply(grad, weights, out.block(row), ahead);
    add_gradient_sums(from_row(input, row, s.in_channels), mean, out.block(row), rows,
                      s.in_channels, out.destination(row), sums);
  }
  hwy::FlushStream();
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::simd {

HWY_EXPORT(panels_size);
HWY_EXPORT(pack_forward);
HWY_EXPORT(pack_backward);
HWY_EXPORT(forward_range);
HWY_EXPORT(backward_range);

void pointwise_forward(const PointwiseShape& s, const Normalized& input, const float* weights,
                       float* output, const Moments* moments) {
  const auto packed =
      allocate_floats(HWY_DYNAMIC_DISPATCH(panels_size)(s.in_channels, s.out_channels));
  HWY_DYNAMIC_DISPATCH(pack_forward)(s, weights, packed.get());
  const Pieces pieces = row_pieces(s.rows, block_rows(s.in_channels + s.out_channels));
  auto parts = parts_of<PartMoments>(moments != nullptr ? pieces.count() : 0, s.out_channels);
  parallel_for(pieces, [&](int64_t begin, int64_t end, int piece) {
    HWY_DYNAMIC_DISPATCH(forward_range)
    (s, input, packed.get(), output, moments != nullptr ? &parts[piece] : nullptr, begin, end);
    if (moments != nullptr) parts[piece].sums.flush();
  });
  if (moments != nullptr) combine(std::move(parts), *moments);
}

void pointwise_backward(const PointwiseShape& s, const NormalizedGradient& grad_output,
                        const Normalized& input, const float* weights,
                        const PointwiseGradients& gradients) {
  std::shared_ptr<float[]> packed;
  if (gradients.grad_input != nullptr) {
    packed = allocate_floats(HWY_DYNAMIC_DISPATCH(panels_size)(s.out_channels, s.in_channels));
    HWY_DYNAMIC_DISPATCH(pack_backward)(s, weights, packed.get());
  }
  // A piece's gradient of the weights is written and added up once: that should stay little beside
  // the arithmetic of its rows.
  constexpr int64_t kRowsWorthAShare = 256;
  const Pieces pieces = summed_row_pieces(s.rows, kRowsWorthAShare);
  const GradientSums* sums = gradients.sums;
  auto part_sums = parts_of<PartSums>(sums != nullptr ? pieces.count() : 0, s.in_channels);
  const Shares shares(pieces.count(), s.in_channels * s.out_channels, gradients.grad_weights);
  parallel_for(pieces, [&](int64_t begin, int64_t end, int piece) {
    HWY_DYNAMIC_DISPATCH(backward_range)
    (s, grad_output, input, packed.get(), sums != nullptr ? sums->mean : nullptr,
     gradients.grad_input, sums != nullptr ? &part_sums[piece] : nullptr, shares[piece], begin,
     end);
    if (sums != nullptr) part_sums[piece].flush();
  });
  if (sums != nullptr) combine(std::move(part_sums), *sums);
  shares.add_up();
}

}  // namespace edgeprune::simd
#endif
