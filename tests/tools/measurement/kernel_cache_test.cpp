#include "tools/measurement/kernel_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/paths.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

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
  kernel_choices().times["some layer"] = 0.25;
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

TEST_F(KernelCache, WhoIsToldOfTimingMayComeBeforeTheFileIsReadOrAfter) {
  std::string told;
  for (const char* words : {"first", "second"}) {
    tell_what_is_timed([&told](const std::string& what) { told = what; });
    kernel_choices().progress(words);
    EXPECT_EQ(told, words);
    tell_what_is_timed({});
  }
  EXPECT_FALSE(kernel_choices().progress);
}

TEST_F(KernelCache, NothingNewIsNotWritten) {
  save_kernel_choices();
  EXPECT_FALSE(fs::exists(file()));
  kernel_choices().times["some layer"] = 0.25;
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
    kernel_choices().times["some layer"] = 0.25;
    EXPECT_NO_THROW(save_kernel_choices()) << damaged;
    EXPECT_NE(content().find("some layer"), std::string::npos) << damaged;
  }
}

TEST_F(KernelCache, APlaceThatCannotBeWrittenToIsNoError) {
  std::ofstream(folder_ / "edgeprune") << "a file where the folder should be";
  kernel_choices().times["some layer"] = 0.25;
  EXPECT_NO_THROW(save_kernel_choices());
}

}  // namespace
}  // namespace edgeprune
