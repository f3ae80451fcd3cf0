#include "tools/measurement/kernel_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/base/parallel.h"
#include "tests/support/paths.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

inference::Layer pointwise(const std::string& name) {
  return {.name = name,
          .shape = {.in_channels = 4, .out_channels = 2},
          .weight = Tensor({2, 4, 1, 1}, 1.0f),
          .bias = Tensor({2}, 0.0f)};
}

class KernelCache : public ::testing::Test {
 protected:
  KernelCache()
      : folder_(fs::temp_directory_path() / ("kernel_cache_" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
    ::setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
    forget_kernel_choices();
  }
  ~KernelCache() override {
    forget_kernel_choices();
    fs::remove_all(folder_);
  }
  fs::path file() const { return folder_ / "edgeprune" / "kernels.json"; }
  std::string content() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path folder_;
};

TEST_F(KernelCache, TimesAreSavedBesideThoseOfOtherMachines) {
  fs::create_directories(file().parent_path());
  std::ofstream(file()) << R"({"another machine": {"a layer": [1, 2]}})";
  kernel_choices().times["some layer"] = {.dense = 0.5, .sparse = 0.25};
  save_kernel_choices();
  EXPECT_NE(content().find("another machine"), std::string::npos);
  EXPECT_NE(content().find("some layer"), std::string::npos);
  EXPECT_NE(content().find("0.25"), std::string::npos);
}

TEST_F(KernelCache, TheBestRatesAreKept) {
  best_rates()["L2, 1 thread"] = 123.5;
  save_kernel_choices();
  EXPECT_NE(content().find("\"rates\""), std::string::npos);
  EXPECT_NE(content().find("123.5"), std::string::npos);
  fs::remove(file());
  save_kernel_choices();
  EXPECT_FALSE(fs::exists(file())) << "nothing is new";
  best_rates()["L2, 1 thread"] = 200;
  save_kernel_choices();
  EXPECT_NE(content().find("200"), std::string::npos);
}

TEST_F(KernelCache, NothingNewIsNotWritten) {
  save_kernel_choices();
  EXPECT_FALSE(fs::exists(file()));
  kernel_choices().times["some layer"] = {.dense = 0.5, .sparse = 0.25};
  save_kernel_choices();
  EXPECT_TRUE(fs::exists(file()));
  fs::remove(file());
  save_kernel_choices();
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(KernelCache, ADamagedFileCountsAsEmpty) {
  fs::create_directories(file().parent_path());
  for (const char* damaged : {"", "{", "[1, 2]", "\xff\xfe"}) {
    std::ofstream(file()) << damaged;
    forget_kernel_choices();
    kernel_choices().times["some layer"] = {.dense = 0.5, .sparse = 0.25};
    EXPECT_NO_THROW(save_kernel_choices()) << damaged;
    EXPECT_NE(content().find("some layer"), std::string::npos) << damaged;
  }
}

TEST_F(KernelCache, APlaceThatCannotBeWrittenToIsNoError) {
  std::ofstream(folder_ / "edgeprune") << "a file where the folder should be";
  kernel_choices().times["some layer"] = {.dense = 0.5, .sparse = 0.25};
  EXPECT_NO_THROW(save_kernel_choices());
}

TEST_F(KernelCache, SaysWhatWasChosenAndWhy) {
  const inference::Graph graph{{pointwise("first"), pointwise("second")}};
  const std::string key = inference::KernelChoices::key(graph.layers[0], 1, 2);
  kernel_choices().times[key] = {.dense = 0.5, .sparse = 0.25};
  const auto chosen = chosen_kernels(graph, 1, 2);
  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_EQ(chosen[1].layer, "second");
  EXPECT_EQ(chosen[1].kernel, "csr");
  EXPECT_EQ(chosen[1].zeros, 0.0);
  EXPECT_EQ(chosen[1].times.dense, 0.5);
}

}  // namespace
}  // namespace edgeprune
