#pragma once
// What tests of checkpoints share: a small network, its metadata, a file to spoil, and refusals.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/nn/network.h"
#include "engine/tensor/safetensors.h"
#include "models/checkpoint.h"
#include "models/mobilenet_v2.h"
#include "tests/support/paths.h"

namespace edgeprune::testing {

inline Graph small(int64_t classes = 10) {
  return mobilenet_v2(0.25, 32, classes);
}

inline ModelInfo sample_info() {
  ModelInfo info;
  info.mean = {0.1f, 0.2f, 0.3f};
  info.std = {0.4f, 0.5f, 0.6f};
  for (int i = 0; i < 10; ++i) info.classes.push_back("class " + std::to_string(i));
  info.history = {{{"step", "train"}, {"epochs", 3}}, {{"step", "prune"}, {"method", "magnitude"}}};
  return info;
}

/// The message that `function` throws as an Error.
template <typename Error>
std::string refusal(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

inline void expect_parts(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

class CheckpointFile : public ::testing::Test {
 protected:
  /// A good checkpoint, spoilt by `spoil`.
  void write(const std::function<void(Archive&)>& spoil) {
    nn::Network model(small(), 1);
    save_checkpoint(path_, model, sample_info());
    Archive archive = read_safetensors(path_);
    spoil(archive);
    write_safetensors(path_, archive);
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("model.safetensors");
};

}  // namespace edgeprune::testing
