#include "engine/inference/live_channels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace edgeprune::inference {
namespace {

constexpr size_t kTaps = 9, kCentre = 4;

/// What a channel of the middle layer puts out if its input is the same everywhere: by the tap that is
/// the farthest one beside the map, in a corner, at an edge or (kCentre) nowhere.
using Constant = std::array<double, kTaps>;

/// Whether tap `tap` of a 3x3 window is beside the map where the farthest one beside it is `farthest`.
bool beside_map(size_t tap, size_t farthest) {
  const auto beyond = [](size_t at, size_t border) { return border != 1 && at == border; };
  return beyond(tap / 3, farthest / 3) || beyond(tap % 3, farthest % 3);
}

bool all_zero(const float* values, int64_t count) {
  return std::all_of(values, values + count, [](float v) { return v == 0.0f; });
}

/// What is known of the wide channels of a block.
class Channels {
 public:
  explicit Channels(const Block& block)
      : block_(block),
        count_(block.widen.shape.out_channels),
        filter_(block.widen.weight.count() / count_) {}

  bool read(int64_t c) const {
    const Tensor& w = block_.narrow.weight;
    for (int64_t o = 0; o < w.dim(0); ++o) {
      if (w.data()[o * count_ + c] != 0.0f) return true;
    }
    return false;
  }
  bool constant(int64_t c) const {
    return all_zero(block_.widen.weight.data() + c * filter_, filter_) ||
           (!pooled() && all_zero(taps(c), kTaps));
  }
  /// Of a channel that is constant().
  Constant value(int64_t c) const {
    const double made = activate(form_of(block_.widen.activation), block_.widen.bias.data()[c]);
    Constant value;
    value.fill(made);
    if (pooled()) return value;
    for (size_t at = 0; at < kTaps; ++at) {
      double sum = block_.middle.bias.data()[c];
      for (size_t tap = 0; tap < kTaps; ++tap) {
        if (!beside_map(tap, at)) sum += made * taps(c)[tap];
      }
      value[at] = activate(form_of(block_.middle.activation), static_cast<float>(sum));
    }
    return value;
  }
  /// Whether a channel can tell where a tap is beside the map: one that is 1 everywhere, minus one on
  /// the tap, plus 1.
  bool can_tell_borders() const {
    const auto keeps = [](const Layer& layer) {
      const ActivationForm form = form_of(layer.activation);
      return activate(form, 0.0f) == 0.0f && activate(form, 1.0f) == 1.0f;
    };
    const Conv2dShape& s = block_.middle.shape;
    return !pooled() && s.in_height > 1 && s.in_width > 1 && keeps(block_.widen) &&
           keeps(block_.middle);
  }

 private:
  bool pooled() const { return block_.middle.kind != Layer::Kind::convolution; }
  const float* taps(int64_t c) const {
    return block_.middle.weight.data() + c * static_cast<int64_t>(kTaps);
  }

  const Block& block_;
  int64_t count_, filter_;
};

/// By how much the constant channels raise each output of the last layer.
class Contribution {
 public:
  explicit Contribution(const Layer& narrow)
      : narrow_(narrow), sums_(static_cast<size_t>(narrow.weight.dim(0))) {}

  void add(int64_t channel, const Constant& value) {
    const float* w = narrow_.weight.data() + channel;
    for (Constant& sums : sums_) {
      for (size_t at = 0; at < kTaps; ++at) sums[at] += double{*w} * value[at];
      w += narrow_.weight.dim(1);
    }
  }
  double inside(int64_t output) const { return of(output)[kCentre]; }
  /// The weight of the channel that is 1 where `tap` is beside the map and 0 elsewhere. In a corner
  /// five of the eight are 1, at an edge three.
  double weight(int64_t output, size_t tap) const {
    const size_t row = tap / 3, column = tap % 3;
    const auto corner = [&](size_t r, size_t c) {
      return rise(output, r, 1) + rise(output, 1, c) - rise(output, r, c);
    };
    if (row != 1 && column != 1) return corner(row, column);
    if (row != 1) return rise(output, row, 1) - corner(row, 0) - corner(row, 2);
    return rise(output, 1, column) - corner(0, column) - corner(2, column);
  }

 private:
  const Constant& of(int64_t output) const { return sums_[static_cast<size_t>(output)]; }
  double rise(int64_t output, size_t row, size_t column) const {
    return of(output)[3 * row + column] - inside(output);
  }

  const Layer& narrow_;
  std::vector<Constant> sums_;
};

/// Some of a tensor's slices along the first axis, and room for `more`, zeros.
Tensor select(const Tensor& from, const std::vector<int64_t>& slices, int64_t more) {
  const int64_t size = from.count() / from.dim(0);
  std::vector<int64_t> dims(from.shape().dims().begin(), from.shape().dims().end());
  dims[0] = std::ssize(slices) + more;
  Tensor to(Shape(dims), 0.0f);
  float* at = to.data();
  for (const int64_t slice : slices) {
    at = std::copy_n(from.data() + slice * size, size, at);
  }
  return to;
}

}  // namespace

Block without_constant_channels(const Block& block) {
  const Channels channels(block);
  Contribution contribution(block.narrow);
  std::vector<int64_t> live, differing;
  for (int64_t c = 0; c < block.widen.shape.out_channels; ++c) {
    if (!channels.read(c)) continue;
    if (!channels.constant(c)) {
      live.push_back(c);
      continue;
    }
    const Constant value = channels.value(c);
    const bool everywhere =
        std::all_of(value.begin(), value.end(), [&](double v) { return v == value[kCentre]; });
    if (everywhere) {
      contribution.add(c, value);
    } else {
      differing.push_back(c);
    }
  }
  constexpr int64_t kBorders = kTaps - 1;
  const bool borders = std::ssize(differing) > kBorders && channels.can_tell_borders();
  for (const int64_t c : differing) {
    if (borders) {
      contribution.add(c, channels.value(c));
    } else {
      live.push_back(c);
    }
  }
  std::sort(live.begin(), live.end());

  const int64_t kept = std::ssize(live);
  const int64_t more = borders ? kBorders : kept == 0 ? 1 : 0, outputs = kept + more;
  Block small = block;
  small.widen.weight = select(block.widen.weight, live, more);
  small.widen.bias = select(block.widen.bias, live, more);
  small.widen.shape.out_channels = outputs;
  Conv2dShape& middle = small.middle.shape;
  middle.in_channels = middle.out_channels = outputs;
  if (block.middle.kind == Layer::Kind::convolution) {
    small.middle.weight = select(block.middle.weight, live, more);
    small.middle.bias = select(block.middle.bias, live, more);
    middle.groups = outputs;
  }
  const int64_t rows = block.narrow.weight.dim(0), columns = block.narrow.weight.dim(1);
  small.narrow.shape.in_channels = outputs;
  small.narrow.weight = Tensor({rows, outputs, 1, 1}, 0.0f);
  small.narrow.bias = block.narrow.bias.clone();
  for (int64_t o = 0; o < rows; ++o) {
    float* row = small.narrow.weight.data() + o * outputs;
    for (int64_t i = 0; i < kept; ++i) {
      row[i] = block.narrow.weight.data()[o * columns + live[static_cast<size_t>(i)]];
    }
    float& bias = small.narrow.bias.data()[o];
    bias = static_cast<float>(bias + contribution.inside(o));
  }
  if (!borders) return small;
  // In place of all channels that differ at the borders: for each tap, where it is beside the map.
  for (int64_t i = 0; i < kBorders; ++i) {
    const size_t tap =
        static_cast<size_t>(i) < kCentre ? static_cast<size_t>(i) : static_cast<size_t>(i) + 1;
    const int64_t c = kept + i;
    small.widen.bias.data()[c] = 1.0f;
    small.middle.weight.data()[c * int64_t{kTaps} + static_cast<int64_t>(tap)] = -1.0f;
    small.middle.bias.data()[c] = 1.0f;
    for (int64_t o = 0; o < rows; ++o) {
      small.narrow.weight.data()[o * outputs + c] = static_cast<float>(contribution.weight(o, tap));
    }
  }
  return small;
}

}  // namespace edgeprune::inference
