#pragma once
// Where tests find real data, and where they may write.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace edgeprune::testing {

/// The project's own folder, as it was when the tests were compiled.
std::string source_folder();

/// A file or folder of the shared reference data: $EDGEPRUNE_SHARED (default: ../shared beside the
/// project).
inline std::filesystem::path shared_path(const std::string& relative) {
  const char* root = std::getenv("EDGEPRUNE_SHARED");
  const std::filesystem::path base =
      root != nullptr ? root : std::filesystem::path(source_folder()) / ".." / "shared";
  return base / relative;
}

/// A folder of this test's own, removed afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string("edgeprune-") + test->test_suite_name() + "-" + test->name() +
                       "-" + std::to_string(::getpid());
    std::replace(name.begin(), name.end(), '/', '-');  // of parameterised tests
    path_ = std::filesystem::temp_directory_path() / name;
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace edgeprune::testing

/// Skips the running test, with the reason, on machines without the shared reference data.
#define EDGEPRUNE_REQUIRE_SHARED(relative)                                       \
  if (!std::filesystem::exists(edgeprune::testing::shared_path(relative)))       \
  GTEST_SKIP() << "needs " << edgeprune::testing::shared_path(relative).string() \
               << " (set EDGEPRUNE_SHARED)"
