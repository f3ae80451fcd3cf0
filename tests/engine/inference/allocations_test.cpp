// What operator new is called for while a plan runs. (The replaced operators count for the whole
// test program.)

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "engine/base/parallel.h"
#include "engine/inference/plan.h"
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
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace edgeprune::inference {
namespace {

Layer layer(const std::string& name, const Conv2dShape& shape) {
  const Shape weight{shape.out_channels, shape.in_channels / shape.groups, shape.kernel,
                     shape.kernel};
  return {.name = name,
          .shape = shape,
          .weight = testing::random_sparse_tensor(weight, 1, 0.5),
          .bias = testing::random_tensor({shape.out_channels}, 2),
          .activation = Activation::relu6};
}

/// Stem, depthwise and 1x1 layers on large and small maps, a residual, pool and head.
Graph network() {
  Graph graph{{
      layer("stem", {.in_height = 32,
                     .in_width = 32,
                     .in_channels = 3,
                     .out_channels = 16,
                     .kernel = 3,
                     .stride = 2,
                     .padding = 1}),
      layer("expand", {.in_height = 16, .in_width = 16, .in_channels = 16, .out_channels = 48}),
      layer("depthwise", {.in_height = 16,
                          .in_width = 16,
                          .in_channels = 48,
                          .out_channels = 48,
                          .kernel = 3,
                          .stride = 2,
                          .padding = 1,
                          .groups = 48}),
      layer("depthwise2", {.in_height = 8,
                           .in_width = 8,
                           .in_channels = 48,
                           .out_channels = 48,
                           .kernel = 3,
                           .stride = 2,
                           .padding = 1,
                           .groups = 48}),
      layer("project", {.in_height = 4, .in_width = 4, .in_channels = 48, .out_channels = 24}),
      layer("same", {.in_height = 4, .in_width = 4, .in_channels = 24, .out_channels = 24}),
      {.kind = Layer::Kind::global_average_pool,
       .name = "pool",
       .shape = {.in_height = 4, .in_width = 4, .in_channels = 24, .out_channels = 24},
       .weight = {},
       .bias = {}},
      layer("head", {.in_channels = 24, .out_channels = 10}),
  }};
  graph.layers[5].residual = 4;
  return graph;
}

TEST(Plan, RunningAllocatesNothing) {
  const Graph graph = network();
  for (const Engine engine : {Engine::dense, Engine::sparse, Engine::automatic}) {
    for (const int threads : {1, 2}) {
      const ThreadScope scope(threads);
      for (const int64_t batch : {1, 5, 32}) {
        Plan plan(graph, engine, batch);
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

TEST(Plan, TheCounterSeesAllocations) {
  const int64_t before = allocations;
  const Tensor tensor({1024, 1024});
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace edgeprune::inference
