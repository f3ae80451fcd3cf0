#include "models/copy_model.h"

#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"

namespace edgeprune {
namespace {

TEST(CopyModel, HasTheSameStateAndSharesNothing) {
  nn::Network model(mobilenet_v2(0.25, 32, 10), uint64_t{3});
  model.set_dropout_rate(0.5f);
  model.train(false);
  const auto copy = copy_of(model);
  EXPECT_EQ(nlohmann::json(copy->graph()), nlohmann::json(model.graph())) << "dropout's rate, too";
  EXPECT_FALSE(copy->training());
  for (const auto& [name, array] : model.state_dict()) {
    EXPECT_EQ(copy->state_dict().at(name).bytes, array.bytes) << name;
  }
  const float before = model.head().weight.value().data()[0];
  copy->head().weight.value().data()[0] = before + 1;
  EXPECT_EQ(model.head().weight.value().data()[0], before);
}

}  // namespace
}  // namespace edgeprune
