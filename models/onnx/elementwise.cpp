// Operators that work number by number: activations, sums and products.

#include <cmath>

#include "models/onnx/importer.h"

namespace edgeprune::onnx {
namespace {

/// Rounded: exporters write 1/6 with six digits, or as a float.
bool near(float a, float b) {
  return std::abs(a - b) < 1e-4f;
}

/// Without the ones that only say which axes there are.
std::vector<int64_t> without_leading_ones(std::vector<int64_t> dims) {
  while (dims.size() > 1 && dims.front() == 1) dims.erase(dims.begin());
  return dims;
}

}  // namespace

void Importer::activate(const Operator& o, Activation activation) {
  const Value& read = whole(o, 0);
  put_out(o, kind::Activate{activation}, {read.node}, read.layout);
}

void Importer::relu(const Operator& o) {
  const Value& read = value(o, 0);
  if (read.part != Value::Part::plus_three) return activate(o, Activation::relu);
  values_[o.output()] = Value(read);  // only a Clip from 0 on may read it, which does the same
}

void Importer::swish(const Operator& o) {
  const float alpha = o.real("alpha", 1);
  o.expect(alpha == 1, "alpha {}, expected 1", alpha);
  activate(o, Activation::silu);
}

void Importer::hard_sigmoid(const Operator& o) {
  const float alpha = o.real("alpha", 0.2f), beta = o.real("beta", 0.5f);
  o.expect(near(alpha, 1.0f / 6) && near(beta, 0.5f), "alpha {} and beta {}, expected 1/6 and 1/2",
           alpha, beta);
  activate(o, Activation::hard_sigmoid);
}

void Importer::clip(const Operator& o) {
  const auto bound = [&](size_t i, const char* name, float otherwise) {  // inputs since opset 11
    const bool given = o.inputs() > i && !o.input(i).empty();
    return given ? o.floats(i, 1).front() : o.real(name, otherwise);
  };
  const float low = bound(1, "min", -INFINITY), high = bound(2, "max", INFINITY);
  o.expect(low == 0 && high == 6, "from {} to {}, expected 0 to 6", low, high);
  const Value& read = value(o, 0);
  if (read.part != Value::Part::plus_three) return activate(o, Activation::relu6);
  values_[o.output()] = {.node = read.node, .layout = read.layout, .part = Value::Part::six_gates};
}

void Importer::add(const Operator& o) {
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (o.constant(i) != nullptr) return add_constant(o, i);
  }
  const Value &a = whole(o, 0), &b = whole(o, 1);
  o.expect(a.layout == b.layout, "its inputs are not of one layout");
  put_out(o, kind::Add{}, {a.node, b.node}, a.layout);
}

/// A bias, of what had none, or the 3 of hard_swish.
void Importer::add_constant(const Operator& o, size_t constant) {
  const Value read = whole(o, 1 - constant);
  const Tensor& added = *o.constant(constant);
  edgeprune::Node& node = graph_.nodes[read.node];
  const int64_t channels = shape(read).channels;
  const bool last = read.layout != Layout::channels_first;
  const bool fits = without_leading_ones(added.dims) ==
                    (last ? std::vector<int64_t>{channels} : std::vector<int64_t>{channels, 1, 1});
  if (!fits && added.bytes.size() == sizeof(float) && near(o.floats(constant, 1).front(), 3)) {
    values_[o.output()] = {
        .node = read.node, .layout = read.layout, .part = Value::Part::plus_three};
    return;
  }
  o.expect(fits && readers_[o.input(1 - constant)] == 1 && without_bias_.erase(read.node) == 1,
           "it adds a constant");
  store(node.name + ".bias", {channels}, o.floats(constant, static_cast<size_t>(channels)));
  if (auto* const convolution = std::get_if<kind::Convolution>(&node.kind)) {
    convolution->bias = true;
  } else if (auto* const depthwise = std::get_if<kind::Depthwise>(&node.kind)) {
    depthwise->bias = true;
  }
  values_[o.output()] = read;
}

/// Of a map by one factor a channel; or of x by a gate on x itself: what exporters spell so.
void Importer::multiply(const Operator& o) {
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (o.constant(i) == nullptr) continue;
    o.expect(near(o.floats(i, 1).front(), 1.0f / 6), "it multiplies by a constant");
    return a_sixth(o, 1 - i);
  }
  const std::pair<Value, Value> both{value(o, 0), value(o, 1)};
  o.expect(both.first.layout == both.second.layout, "its inputs are not of one layout");
  const Layout layout = both.first.layout;
  for (const auto& [x, gate] : {both, std::pair(both.second, both.first)}) {
    const edgeprune::Node& node = graph_.nodes[gate.node];
    if (gate.part == Value::Part::six_gates && x.node == gate.node &&
        x.part == Value::Part::whole && x.pads == Pads{}) {
      values_[o.output()] = {.node = x.node, .layout = layout, .part = Value::Part::six_swishes};
      return;
    }
    const auto* const gated = std::get_if<kind::Activate>(&node.kind);
    const bool is_whole = gate.part == Value::Part::whole && gate.pads == Pads{};
    if (gated == nullptr || node.inputs[0] != x.node || !is_whole) continue;
    const size_t of = whole(o, x.node == both.first.node ? 0 : 1).node;
    if (gated->activation == Activation::hard_sigmoid)
      return put_out(o, kind::Activate{Activation::hard_swish}, {of}, layout);
    if (gated->activation == Activation::sigmoid)
      return put_out(o, kind::Activate{Activation::silu}, {of}, layout);
  }
  const Value &a = whole(o, 0), &b = whole(o, 1);
  // infer_shape() says what is wrong if neither is of 1x1.
  const bool turned = is_point(a) && !is_point(b);
  put_out(o, kind::Multiply{}, turned ? std::vector{b.node, a.node} : std::vector{a.node, b.node},
          layout);
}

void Importer::divide(const Operator& o) {
  const float by = o.floats(1, 1).front();
  o.expect(near(by, 6), "it divides by {}", by);
  a_sixth(o, 0);
}

/// The end of hard_sigmoid and hard_swish.
void Importer::a_sixth(const Operator& o, size_t i) {
  const Value& read = value(o, i);
  const bool gates = read.part == Value::Part::six_gates;
  o.expect(gates || read.part == Value::Part::six_swishes, "it takes a sixth of '{}'",
           printable(o.input(i)));
  put_out(o, kind::Activate{gates ? Activation::hard_sigmoid : Activation::hard_swish}, {read.node},
          read.layout);
}

void Importer::softmax(const Operator& o) {
  o.expect(o.output() == model_.output.name, "it is not the last operator");
  notes_.emplace_back("its Softmax is left out: a network here ends in logits");
  values_[o.output()] = whole(o, 0);
}

}  // namespace edgeprune::onnx
