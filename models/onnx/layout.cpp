// Operators that change no number, but where it stands; and constants.

#include <algorithm>

#include "models/onnx/importer.h"

namespace edgeprune::onnx {

void Importer::constant(const Operator& o) {
  if (const auto tensor = o.attribute<Tensor>("value")) {
    made_.push_back(*tensor);
  } else if (const auto real = o.attribute<float>("value_float")) {
    made_.push_back(make_tensor<float>("", {}, {&*real, 1}));
  } else if (const auto whole = o.attribute<int64_t>("value_int")) {
    made_.push_back(make_tensor<int64_t>("", {}, {&*whole, 1}));
  } else if (const auto list = o.attribute<std::vector<int64_t>>("value_ints")) {
    made_.push_back(make_tensor<int64_t>("", {std::ssize(*list)}, *list));
  } else {
    return;
  }
  constants_[o.output()] = &made_.back();
}

void Importer::identity(const Operator& o) {
  if (o.constant(0) == nullptr) return pass_on(o);
  constants_[o.output()] = o.constant(0);
}

/// From and to floats of any size: ours are of 32 bits.
void Importer::cast(const Operator& o) {
  const auto to = static_cast<DataType>(o.number("to", 0));
  const bool floats = to == DataType::float32 || to == DataType::float16 ||
                      to == DataType::bfloat16 || to == DataType::float64;
  const Tensor* const constant = o.constant(0);
  o.expect(floats && (constant == nullptr || constant->type == DataType::float32),
           "to type {}, expected from floats to floats", static_cast<int>(to));
  identity(o);
}

/// What reads a flat value sees that the map is one of 1x1.
void Importer::flatten(const Operator& o) {
  const int64_t axis = o.number("axis", 1);
  const Value& read = whole(o, 0);
  o.expect(axis == 1 || axis == (read.layout == Layout::rows ? -1 : -3), "at axis {}, expected 1",
           axis);
  values_[o.output()] = {read.node, Layout::rows};
}

void Importer::reshape(const Operator& o) {
  const Value& read = whole(o, 0);
  const bool point = is_point(read);
  Value to{read.node, Layout::rows};
  if (!point || !sizes_.contains(o.input(1))) {  // [N, the rest], of a map of 1x1
    const auto dims = o.values<int64_t>(1);
    const auto is = [&](std::vector<int64_t> rest) {
      if (!point || dims.size() != rest.size() + 1) return false;
      return std::equal(rest.begin(), rest.end(), dims.begin() + 1,
                        [](int64_t a, int64_t b) { return b == a || b == -1; });
    };
    const int64_t channels = shape(read).channels;
    if (is({channels, 1, 1})) {
      to.layout = Layout::channels_first;
    } else if (is({1, 1, channels})) {
      to.layout = Layout::channels_last;
    } else {
      o.expect(dims.size() == 2, "to [{}]: expected [N,C]", fmt::join(dims, ","));
    }
  }
  values_[o.output()] = to;
}

void Importer::squeeze(const Operator& o) {
  const std::vector<int64_t> axes = o.axes();
  const Value& read = whole(o, 0);
  const bool map = axes == std::vector<int64_t>{2, 3}
                       ? read.layout == Layout::channels_first
                       : axes == std::vector<int64_t>{1, 2} && read.layout == Layout::channels_last;
  o.expect(map && is_point(read), "of the axes [{}], expected those of a map of 1x1",
           fmt::join(axes, ","));
  values_[o.output()] = {read.node, Layout::rows};
}

void Importer::unsqueeze(const Operator& o) {
  const std::vector<int64_t> axes = o.axes();
  const Value& read = whole(o, 0);
  const bool first = axes == std::vector<int64_t>{2, 3};
  o.expect(read.layout == Layout::rows && (first || axes == std::vector<int64_t>{1, 2}),
           "of the axes [{}], expected those of a map", fmt::join(axes, ","));
  values_[o.output()] = {read.node, first ? Layout::channels_first : Layout::channels_last};
}

void Importer::transpose(const Operator& o) {
  const auto perm = o.attribute<std::vector<int64_t>>("perm").value_or(std::vector<int64_t>{});
  Value read = value(o, 0);
  const bool to_last =
                 read.layout == Layout::channels_first && perm == std::vector<int64_t>{0, 2, 3, 1},
             to_first =
                 read.layout == Layout::channels_last && perm == std::vector<int64_t>{0, 3, 1, 2};
  o.expect(to_last || to_first, "by [{}], expected a map's channels put last, or first again",
           fmt::join(perm, ","));
  read.layout = to_last ? Layout::channels_last : Layout::channels_first;
  values_[o.output()] = read;
}

/// Kept for the Conv that reads it.
void Importer::pad(const Operator& o) {
  const std::string mode = o.attribute<std::string>("mode").value_or("constant");
  o.expect(mode == "constant", "mode {}, expected constant", printable(mode));
  const auto pads =
      o.inputs() > 1 ? o.values<int64_t>(1)  // since opset 11
                     : o.attribute<std::vector<int64_t>>("pads").value_or(std::vector<int64_t>{});
  const bool given = o.inputs() > 2 && !o.input(2).empty();
  const float with = given ? o.floats(2, 1).front() : o.real("value", 0);
  o.expect(with == 0, "with {}, expected zeros", with);
  o.expect(o.inputs() < 4 || o.input(3).empty(), "of some axes, expected all");
  Value read = whole(o, 0);
  const size_t h = read.layout == Layout::channels_last ? 1 : 2, channel = h == 1 ? 3 : 1;
  const bool fits = read.layout != Layout::rows && pads.size() == 8 && pads[0] == 0 &&
                    pads[4] == 0 && pads[channel] == 0 && pads[channel + 4] == 0 &&
                    std::ranges::all_of(pads, [](int64_t p) { return p >= 0 && p < 4096; });
  o.expect(fits, "by [{}], expected rows and columns around a map", fmt::join(pads, ","));
  read.pads = {pads[h], pads[h + 1], pads[h + 4], pads[h + 5]};
  values_[o.output()] = read;
}

/// Exporters of networks of any batch size compute what they reshape to.
bool Importer::computes_shapes(const Operator& o) {
  static const std::set<std::string> kKnown{"Gather", "Unsqueeze", "Concat", "Slice",
                                            "Cast",   "Squeeze",   "Mul",    "Identity"};
  bool of_sizes = o.op() == "Shape" && values_.contains(o.input(0));
  for (size_t i = 0; kKnown.contains(o.op()) && i < o.inputs(); ++i) {
    of_sizes = of_sizes || sizes_.contains(o.input(i));
  }
  if (of_sizes) sizes_.insert(o.output());
  return of_sizes;
}

}  // namespace edgeprune::onnx
