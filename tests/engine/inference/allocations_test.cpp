// What operator new is called for while a plan runs. (The replaced operators count for the whole
// test program.)

#include <gtest/gtest.h>
#include <algorithm>

#include <atomic>
#include <cstdlib>
#include <new>
#include <span>
#include <vector>

#include "engine/base/cores.h"
#include "engine/base/parallel.h"
#include "engine/base/short_turns.h"
#include "engine/inference/plan.h"
#include "tests/engine/inference/graphs.h"
#include "tests/support/sanitizers.h"
#include "tests/support/tensors.h"

namespace {
std::atomic<int64_t> allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto align = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(align, (size + align - 1) / align * align)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
// Never inlined: else the compiler sees free() get what a call of operator new returned, and warns.
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace edgeprune::inference {
namespace {

TEST(Plan, RunningAllocatesNothing) {
  const Graph graph = testing::network_of_two_stages();
  for (const Engine engine : {Engine::dense, Engine::sparse, Engine::automatic}) {
    for (const int threads : {1, 2}) {
      const ThreadScope scope(threads);
      for (const int64_t batch : {1, 5, 32}) {
        // auto times every kernel; those for 32 images are dense's and sparse's, too.
        if (testing::kSanitized && engine == Engine::automatic && batch > 5) continue;
        Plan plan(graph, engine, batch);
        // oneDNN's primitives allocate; auto takes them where they are faster.
        const bool own = std::ranges::count(plan.steps(), "onednn", &StepInfo::kernel) == 0;
        ASSERT_TRUE(own || engine == Engine::automatic);
        if (!own) continue;
        const Tensor images = testing::random_tensor({batch, plan.image_size()}, 3);
        Tensor logits({batch, plan.classes()});
        plan.run(images.data(), logits.data());  // starts the threads
        const int64_t before = allocations;
        for (int i = 0; i < 3; ++i) plan.run(images.data(), logits.data());
        EXPECT_EQ(allocations, before)
            << to_string(engine) << ", batch " << batch << ", " << threads << " threads";
      }
    }
  }
}

// The pool's threads part while plans run (engine/base/thread_pool.cpp).
TEST(Plan, PartingAllocatesNothing) {
  const std::vector<int> all = affinity_mask();
  const int64_t before = allocations;
  leave_processors(std::span(all).first(1));
  EXPECT_EQ(allocations, before);
}

// Ten times a second (engine/base/worker_spin.h).
TEST(Plan, ReadingAThreadsAccountAllocatesNothing) {
  const int64_t before = allocations;
  (void)own_turns();
  EXPECT_EQ(allocations, before);
}

TEST(Plan, TheCounterSeesAllocations) {
  const int64_t before = allocations;
  const Tensor tensor({1024, 1024});
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace edgeprune::inference
