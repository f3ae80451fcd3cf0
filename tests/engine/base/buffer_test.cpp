#include "engine/base/buffer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <limits>
#include <new>
#include <string>
#include <thread>

#include "engine/base/parallel.h"

namespace edgeprune {
namespace {

TEST(Buffer, SharesNoCacheLineWithOthers) {
  for (const size_t count : {0, 1, 15, 16, 17, 1000}) {
    const auto block = allocate_floats(count);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.get()) % kSeparate, 0u) << count;
    std::fill_n(block.get(), count, 1.0f);
  }
}

/// Of the mapping that holds `address`, as /proc/self/smaps has them ("rd wr mr ... hg").
std::string mapping_flags(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      const auto at = reinterpret_cast<unsigned long>(address);
      inside = begin <= at && at < end;
    }
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return "";
}

TEST(Buffer, LargeBlocksAskForHugePages) {
  if (!std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled")) GTEST_SKIP() << "has none";
  constexpr size_t kHugePage = (2u << 20) / sizeof(float);
  const auto small = allocate_floats(kHugePage / 2), large = allocate_floats(3 * kHugePage + 5);
  EXPECT_EQ(mapping_flags(small.get()).find(" hg "), std::string::npos);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large.get()) % (2u << 20), 0u);
  for (const size_t at : {size_t{0}, kHugePage, 3 * kHugePage - 1}) {
    EXPECT_NE(mapping_flags(large.get() + at).find(" hg "), std::string::npos) << at;
  }
}

TEST(Buffer, FreedBlockIsHandedOutAgain) {
  release_pooled_buffers();
  const float* first = allocate_floats(1000).get();
  const BufferStats before = buffer_stats();
  EXPECT_EQ(before.bytes_pooled, 4096u);  // 4000 rounded up to kSeparate
  const auto again = allocate_floats(1000);
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(buffer_stats().fresh, before.fresh);
  EXPECT_EQ(buffer_stats().bytes_pooled, 0u);
  EXPECT_EQ(buffer_stats().bytes_in_use, before.bytes_in_use + 4096);
  EXPECT_NE(allocate_floats(2000).get(), first);
}

TEST(Buffer, BlockIsPooledOnlyWhenItsLastHolderGoes) {
  release_pooled_buffers();
  auto block = allocate_floats(64);
  auto holder = block;
  block.reset();
  EXPECT_EQ(buffer_stats().bytes_pooled, 0u);
  holder.reset();
  EXPECT_EQ(buffer_stats().bytes_pooled, 256u);
  release_pooled_buffers();
  EXPECT_EQ(buffer_stats().bytes_pooled, 0u);
}

TEST(Buffer, EveryThreadHasItsBlockOnceAPieceHadOne) {
  const ThreadScope scope(3);
  release_pooled_buffers();
  const size_t before = buffer_stats().fresh;
  const auto all_at_once = [](int threads) {  // each holds a block until all have one
    std::atomic<int> holding = 0;
    parallel_for(threads, 1, [&](int64_t, int64_t, int) {
      const auto block = allocate_floats(777);
      ++holding;
      while (holding < threads) std::this_thread::yield();
    });
  };
  parallel_for(Pieces(100, 1), [](int64_t, int64_t, int piece) {
    if (piece == 0) allocate_floats(777);  // on one thread alone
  });
  EXPECT_EQ(buffer_stats().fresh, before + 3);
  all_at_once(3);
  all_at_once(3);
  EXPECT_EQ(buffer_stats().fresh, before + 3);
}

TEST(Buffer, ImpossibleSizeThrowsAndLeavesTheStatistics) {
  const size_t in_use = buffer_stats().bytes_in_use;
  EXPECT_THROW(allocate_floats(std::numeric_limits<size_t>::max()), std::bad_alloc);
  EXPECT_THROW(allocate_floats(std::numeric_limits<size_t>::max() / 4), std::bad_alloc);
#ifndef __SANITIZE_ADDRESS__  // which ends the program on a request like this
  EXPECT_THROW(allocate_floats(size_t{1} << 60), std::bad_alloc);
#endif
  EXPECT_EQ(buffer_stats().bytes_in_use, in_use);
}

}  // namespace
}  // namespace edgeprune
