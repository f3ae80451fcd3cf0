#pragma once

#include <memory>
#include <string>
#include <utility>

#include "models/mobilenet_v2.h"
#include "tools/station/pipeline/judge.h"

namespace edgeprune::testing {

/// A network of the classes good and bad whose scores no image moves, as all its weights are zero. It is sure from 0.8 on.
inline std::shared_ptr<station::Judge> judge_that_says(
    float good, float bad = 0, const std::string& name = "0123456789abcdef") {
  Checkpoint checkpoint;
  checkpoint.model = std::make_unique<nn::Network>(mobilenet_v2(0.25, 32, 2));
  checkpoint.model->head().bias.value().data()[0] = good;
  checkpoint.model->head().bias.value().data()[1] = bad;
  checkpoint.info.classes = {"good", "bad"};
  checkpoint.sha256 = name + std::string(64, '0');
  station::Policy policy;
  policy.classes = {{"good", true, 0, 1}, {"bad", false, 0.2f, 0.8f}};
  policy.hash = "fedcba9876543210";
  return std::make_shared<station::Judge>(checkpoint, std::move(policy), inference::Engine::dense,
                                          1);
}

}  // namespace edgeprune::testing
