#include "tools/measurement/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/base/file.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;
using testing::message_of;
using testing::TemporaryFolder;

/// A machine's /proc and /sys with 8 GB to give.
class AvailableMemory : public ::testing::Test {
 protected:
  AvailableMemory() {
    release_pooled_buffers();
    write("proc/meminfo",
          "MemTotal:       16000000 kB\n"
          "MemAvailable:    8000000 kB\n");
  }
  void write(const std::string& path, const std::string& content) {
    const fs::path whole = fs::path(root_.path()) / path;
    fs::create_directories(whole.parent_path());
    write_file_atomically(whole.string(), content);
  }
  std::optional<int64_t> available() const { return available_memory(root_.path()); }

 private:
  TemporaryFolder root_;
};

TEST_F(AvailableMemory, IsTheMachinesWithoutGroups) {
  EXPECT_EQ(available(), 8'192'000'000);
}

TEST_F(AvailableMemory, IsWhatTheTightestGroupLeaves) {
  write("proc/self/cgroup", "1:name=systemd:/elsewhere\n0::/outer/inner\n");
  write("sys/fs/cgroup/outer/memory.max", "3000000000\n");
  write("sys/fs/cgroup/outer/memory.current", "1000000000\n");
  write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  write("sys/fs/cgroup/outer/inner/memory.current", "900000000\n");
  EXPECT_EQ(available(), 2'000'000'000);
  // Files in the cache go when memory is wanted.
  write("sys/fs/cgroup/outer/memory.stat", "anon 600000000\ninactive_file 400000000\n");
  EXPECT_EQ(available(), 2'400'000'000);
  write("sys/fs/cgroup/outer/inner/memory.max", "800000000\n");
  EXPECT_EQ(available(), 0) << "more is used than allowed";
}

TEST_F(AvailableMemory, KnowsTheOlderInterface) {
  write("proc/self/cgroup", "5:cpu:/\n4:memory:/docker/of-the-host\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "300000000\n");
  write("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 100000000\n");
  EXPECT_EQ(available(), 800'000'000);
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // none
  EXPECT_EQ(available(), 8'192'000'000);
}

TEST_F(AvailableMemory, CountsBuffersThatWaitForReuse) {
  allocate_floats(1'000'000).reset();
  EXPECT_EQ(available(), 8'196'000'000);
}

TEST_F(AvailableMemory, IsUnknownWhereTheKernelDoesNotSay) {
  write("proc/meminfo", "MemTotal: 16000000 kB\n");
  write("proc/self/cgroup", "nonsense\n");
  EXPECT_EQ(available(), std::nullopt);
  EXPECT_EQ(available_memory("/nonexistent"), std::nullopt);
}

TEST(Memory, OfThisProcess) {
  const auto available = available_memory();
  ASSERT_TRUE(available.has_value());
  EXPECT_GT(*available, 1 << 20);
  const std::vector<char> touched(200 << 20, 1);
  EXPECT_GE(peak_memory(), std::count(touched.begin(), touched.end(), 1));
  EXPECT_LT(peak_memory(), int64_t{1} << 40);
}

void* map(int64_t bytes) {
  return mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/// qemu-user takes limits on memory and forgets them.
bool limits_are_kept() {
  rlimit limit{}, kept{};
  getrlimit(RLIMIT_DATA, &limit);
  limit.rlim_cur = std::min(limit.rlim_cur, rlim_t{1} << 50);
  setrlimit(RLIMIT_DATA, &limit);
  getrlimit(RLIMIT_DATA, &kept);
  return kept.rlim_cur == limit.rlim_cur;
}

TEST(Memory, MoreThanAvailableIsRefused) {
  if (!limits_are_kept()) GTEST_SKIP() << "this system does not limit a process's memory";
  EXPECT_EXIT(
      {
        const int64_t available = *available_memory();
        refuse_more_than_available_memory();
        const bool right = map(available) == MAP_FAILED && map(available / 2) != MAP_FAILED;
        _exit(right ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(Memory, BadAllocIsExplained) {
  EXPECT_EQ(explain_bad_alloc("test", "nothing", [] { return 7; }), 7);
  EXPECT_THAT(message_of<std::runtime_error>([] {
                explain_bad_alloc("test", "batches of 9 images", [] { throw std::bad_alloc(); });
              }),
              ::testing::MatchesRegex("\\[test\\] not enough memory for batches of 9 images, "
                                      "[0-9.]+ GB were available: try a smaller --batch"));
}

}  // namespace
}  // namespace edgeprune
