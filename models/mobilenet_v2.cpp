#include "models/mobilenet_v2.h"

#include "engine/base/check.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pool.h"

namespace edgeprune {

MobileNetV2::Unit::Unit(ConvSpec conv_spec)
    : spec(std::move(conv_spec)),
      conv(spec.shape.in_channels, spec.shape.out_channels, spec.shape.kernel,
           {.stride = spec.shape.stride,
            .padding = spec.shape.padding,
            .groups = spec.shape.groups}),
      norm(spec.shape.out_channels, spec.activation) {}

Variable MobileNetV2::Unit::forward(const Variable& x) {
  if (!norm.training()) return norm.forward(conv.forward(x));
  ops::ChannelMoments moments;
  const Variable convolved = conv.forward(x, &moments);
  return norm.forward(convolved, &moments);
}

MobileNetV2::MobileNetV2(Architecture architecture) : architecture_(std::move(architecture)) {
  for (ConvSpec& spec : unroll(architecture_)) {
    auto& unit = *units_.emplace_back(std::make_unique<Unit>(std::move(spec)));
    add_module(unit.spec.conv, unit.conv);
    add_module(unit.spec.norm, unit.norm);
  }
  head_ = std::make_unique<nn::Linear>(architecture_.last, architecture_.classes);
  add_module(kHeadName, *head_);
}

MobileNetV2::MobileNetV2(Architecture architecture, uint64_t seed)
    : MobileNetV2(std::move(architecture)) {
  Rng rng(seed);
  for (const auto& unit : units_) unit->conv.draw(rng);
  head_->draw(rng);
}

Variable MobileNetV2::forward(const Variable& images, Rng& dropout) {
  const int64_t size = architecture_.input_size;
  const Shape& shape = images.shape();
  require(shape.rank() == 4 && shape[1] == size && shape[2] == size && shape[3] == 3, "MobileNetV2",
          "expected images [N,{},{},3], got {}", size, size, shape.to_string());
  Variable x = images, block_input;
  for (const auto& unit : units_) {
    if (unit->spec.opens_block) block_input = x;
    x = unit->forward(x);
    if (unit->spec.adds_residual) x = ops::add(block_input, x);
  }
  block_input = Variable();
  x = ops::dropout(ops::global_average_pool(x), dropout_rate, training(), dropout);
  return head_->forward(x);
}

}  // namespace edgeprune
