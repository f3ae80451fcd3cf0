#include "engine/inference/kernel_table.h"

#include <algorithm>
#include <stdexcept>

#include "engine/inference/band_step.h"
#include "engine/inference/channels_last_steps.h"
#include "engine/inference/int8_step.h"
#include "engine/inference/panel_steps.h"
#include "engine/inference/small_block_step.h"
#include "engine/inference/sparse_block_step.h"
#include "engine/inference/sparse_conv_step.h"
#include "engine/kernels/int8/sparse_pointwise.h"

namespace edgeprune::inference {
namespace {

using StepPointer = std::unique_ptr<Step>;

/// Whether layers i to i + 2 are what widens a map, a depthwise convolution and a 1x1 convolution, each
/// read by the next one alone.
bool is_block(const Graph& graph, size_t i, bool widens) {
  const Layer& middle = graph.layers[i + 1];
  return widens && graph.in_line(i, 3) && middle.kind == Layer::Kind::convolution &&
         panels::depthwise_supported(middle.shape) && graph.layers[i + 2].pointwise();
}

template <bool kStem>
bool sparse_block_supported(const Graph& graph, size_t i, const Place&) {
  return graph.layers[i].pointwise() != kStem && is_sparse_block(graph, i);
}

StepPointer make_sparse_block(const Graph& graph, size_t i, const Place& place) {
  return sparse_block_step(graph.layers[i], graph.layers[i + 1], graph.layers[i + 2], place.images);
}

bool small_block_supported(const Graph& graph, size_t i, const Place& place) {
  const auto& layers = graph.layers;
  return is_block(graph, i, layers[i].pointwise()) &&
         small_block_pays(layers[i], layers[i + 1], layers[i + 2], place.images);
}

StepPointer make_small_block(const Graph& graph, size_t i, const Place&) {
  return small_block_step(graph.layers[i], graph.layers[i + 1], graph.layers[i + 2]);
}

bool band_supported(const Graph& graph, size_t i, const Place& place) {
  return is_block(graph, i, graph.layers[i].pointwise()) &&
         band_pays(graph.layers[i + 1].shape, place.images);
}

template <bool kSparseWiden, bool kSparseNarrow>
StepPointer make_band(const Graph& graph, size_t i, const Place& place) {
  return band_step(pointwise_step(graph.layers[i], place.images, kSparseWiden), graph.layers[i + 1],
                   pointwise_step(graph.layers[i + 2], place.images, kSparseNarrow), place.images);
}

bool stem_band_supported(const Graph& graph, size_t i, const Place& place) {
  return is_block(graph, i, panel_stem_exists(graph.layers[i])) &&
         band_pays(graph.layers[i + 1].shape, place.images);
}

template <bool kSparseNarrow>
StepPointer make_stem_band(const Graph& graph, size_t i, const Place& place) {
  return band_step(panel_stem_step(graph.layers[i], place.images), graph.layers[i + 1],
                   pointwise_step(graph.layers[i + 2], place.images, kSparseNarrow), place.images);
}

bool is_stem(const Graph& graph, size_t i, const Place&) {
  return panel_stem_exists(graph.layers[i]);
}

StepPointer make_stem(const Graph& graph, size_t i, const Place& place) {
  return panel_stem_step(graph.layers[i], place.images);
}

bool is_pointwise(const Graph& graph, size_t i, const Place&) {
  return graph.layers[i].pointwise();
}

template <bool kSparse>
StepPointer make_pointwise(const Graph& graph, size_t i, const Place& place) {
  return pointwise_step(graph.layers[i], place.images, kSparse);
}

bool has_other_panel_step(const Graph& graph, size_t i, const Place&) {
  return !graph.layers[i].pointwise() && panel_step_exists(graph.layers[i]);
}

StepPointer make_other_panel_step(const Graph& graph, size_t i, const Place& place) {
  return panel_step(graph.layers[i], place.images, false);
}

bool is_ungrouped_convolution(const Graph& graph, size_t i, const Place&) {
  const Layer& layer = graph.layers[i];
  return layer.kind == Layer::Kind::convolution && layer.shape.groups == 1;
}

StepPointer make_own_convolution(const Graph& graph, size_t i, const Place& place) {
  return dense_channels_last_step(graph.layers[i], place.images);
}

/// But for the first layer, whose channels are too few.
bool sparse_conv_supported(const Graph& graph, size_t i, const Place& place) {
  return is_ungrouped_convolution(graph, i, place) && graph.input_of(i) >= 0;
}

StepPointer make_sparse_conv(const Graph& graph, size_t i, const Place& place) {
  return sparse_conv_step(graph.layers[i], place.images);
}

bool any_layer(const Graph&, size_t, const Place&) {
  return true;
}

StepPointer make_channels_last_step(const Graph& graph, size_t i, const Place& place) {
  return channels_last_step(graph.layers[i], place.images);
}

/// Where there is a kernel of our own, too.
bool has_other_onednn_step(const Graph& graph, size_t i, const Place&) {
  const Layer& layer = graph.layers[i];
  return layer.kind == Layer::Kind::convolution && layer.residual < 0 &&
         own_channels_last_step_exists(layer);
}

StepPointer make_onednn_step(const Graph& graph, size_t i, const Place& place) {
  return onednn_step(graph.layers[i], place.images);
}

bool in_integers(const Graph& graph, size_t i) {
  return graph.integers != nullptr && graph.integers->layers[i].integers;
}

/// Who reads the images reads floats, the last layer puts out floats.
bool images_in_integers(const Graph& graph, size_t i, const Place&) {
  return in_integers(graph, i) && graph.input_of(i) < 0;
}

bool is_in_integers(const Graph& graph, size_t i, const Place&) {
  return in_integers(graph, i) && graph.input_of(i) >= 0 && i + 1 < graph.layers.size();
}

bool is_pointwise_in_integers(const Graph& graph, size_t i, const Place& place) {
  const Layer& layer = graph.layers[i];
  return is_in_integers(graph, i, place) && layer.pointwise() &&
         layer.shape.in_channels <= int8::SparsePointwiseWeights::kMostChannels;
}

bool last_in_integers(const Graph& graph, size_t i, const Place&) {
  return in_integers(graph, i) && graph.input_of(i) >= 0 && i + 1 == graph.layers.size();
}

StepPointer make_int8_step(const Graph& graph, size_t i, const Place& place) {
  return int8_step(*graph.integers, i, place.images);
}

StepPointer make_int8_sparse_step(const Graph& graph, size_t i, const Place& place) {
  return int8_sparse_step(*graph.integers, i, place.images);
}

constexpr Format kChannelsLast = Format::channels_last, kPanels = Format::panels,
                 kBytes = Format::bytes;
constexpr std::array<bool, 3> kDense{}, kCsr{true}, kCsrNarrow{false, false, true},
    kCsrBoth{true, false, true};

constexpr Engines kDenseOnes = bit_of(Engine::dense), kOneDnn = bit_of(Engine::onednn),
                  kIntegers = bit_of(Engine::int8) | bit_of(Engine::int8_sparse),
                  kSparseOnes = bit_of(Engine::sparse), kOwnFloats = kDenseOnes | kSparseOnes;

constexpr Kernel kTable[] = {
    {"sparse block", kSparseOnes, kPanels, kPanels, 3, kCsrBoth, &sparse_block_supported<false>,
     &make_sparse_block},
    {"stem sparse block", kSparseOnes, kChannelsLast, kPanels, 3, kCsrNarrow,
     &sparse_block_supported<true>, &make_sparse_block},
    {"small block", kOwnFloats, kPanels, kPanels, 3, kDense, &small_block_supported,
     &make_small_block},
    {"band", kOwnFloats, kPanels, kPanels, 3, kDense, &band_supported, &make_band<false, false>},
    {"band csr", kSparseOnes, kPanels, kPanels, 3, kCsrBoth, &band_supported,
     &make_band<true, true>},
    {"band csr, dense", kSparseOnes, kPanels, kPanels, 3, kCsr, &band_supported,
     &make_band<true, false>},
    {"band dense, csr", kSparseOnes, kPanels, kPanels, 3, kCsrNarrow, &band_supported,
     &make_band<false, true>},
    {"stem band", kOwnFloats, kChannelsLast, kPanels, 3, kDense, &stem_band_supported,
     &make_stem_band<false>},
    {"stem band csr", kSparseOnes, kChannelsLast, kPanels, 3, kCsrNarrow, &stem_band_supported,
     &make_stem_band<true>},
    {"stem", kOwnFloats, kChannelsLast, kPanels, 1, kDense, &is_stem, &make_stem},
    {"dense", kOwnFloats, kPanels, kPanels, 1, kDense, &is_pointwise, &make_pointwise<false>},
    {"csr conv", kSparseOnes, kChannelsLast, kChannelsLast, 1, kCsr, &sparse_conv_supported,
     &make_sparse_conv},
    {"csr", kSparseOnes, kPanels, kPanels, 1, kCsr, &is_pointwise, &make_pointwise<true>},
    {"panels", kOwnFloats, kPanels, kPanels, 1, kDense, &has_other_panel_step,
     &make_other_panel_step},
    {"own convolution", kOwnFloats | kIntegers, kChannelsLast, kChannelsLast, 1, kDense,
     &is_ungrouped_convolution, &make_own_convolution},
    {"channels-last", kOwnFloats | kOneDnn | kIntegers, kChannelsLast, kChannelsLast, 1, kDense,
     &any_layer, &make_channels_last_step},
    {"onednn", kOneDnn, kChannelsLast, kChannelsLast, 1, kDense, &has_other_onednn_step,
     &make_onednn_step},
    {"int8, images", kIntegers, kChannelsLast, kBytes, 1, kDense, &images_in_integers,
     &make_int8_step},
    {"int8 sparse", bit_of(Engine::int8_sparse), kBytes, kBytes, 1, kCsr, &is_pointwise_in_integers,
     &make_int8_sparse_step},
    {"int8", kIntegers, kBytes, kBytes, 1, kDense, &is_in_integers, &make_int8_step},
    {"int8, logits", kIntegers, kBytes, kChannelsLast, 1, kDense, &last_in_integers,
     &make_int8_step},
};

}  // namespace

std::span<const Kernel> kernel_table() {
  return kTable;
}

bool has_sparse_kernel(const Graph& graph, size_t layer, Engine engine) {
  return std::ranges::any_of(kTable, [&](const Kernel& kernel) {
    return (kernel.engines & bit_of(engine)) != 0 && kernel.layers == 1 && kernel.sparse[0] &&
           kernel.supports(graph, layer, Place{});
  });
}

std::unique_ptr<Step> change_of_format(Format from, Format to, const Graph& graph, int layer,
                                       int64_t images) {
  const Conv2dShape map = map_of(graph, layer, images);
  const auto is = [&](Format a, Format b) { return from == a && to == b; };
  if (is(kChannelsLast, kPanels)) return to_panels_step(map);
  if (is(kPanels, kChannelsLast)) return from_panels_step(map);
  if (is(kChannelsLast, kBytes)) return quantize_step(map);
  if (is(kBytes, kChannelsLast)) return dequantize_step(map);
  throw std::invalid_argument(
      "[change_of_format] expected a format other than channels-last, and it");
}

std::unique_ptr<Step> gather(Format format, const Conv2dShape& map) {
  return format == kPanels && map.batch > 1 ? gather_images_step(map) : nullptr;
}

Conv2dShape map_of(const Graph& graph, int layer, int64_t images) {
  Conv2dShape map{.batch = images};
  if (layer < 0) {
    const Conv2dShape& s = graph.layers.front().shape;
    map.in_height = s.in_height;
    map.in_width = s.in_width;
    map.in_channels = s.in_channels;
  } else {
    const Layer& made = graph.layers[static_cast<size_t>(layer)];
    const bool pooled = made.kind == Layer::Kind::global_average_pool;
    map.in_height = pooled ? 1 : made.shape.out_height();
    map.in_width = pooled ? 1 : made.shape.out_width();
    map.in_channels = made.shape.out_channels;
  }
  map.out_channels = map.in_channels;
  return map;
}

}  // namespace edgeprune::inference
