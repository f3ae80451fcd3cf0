#include "tools/training/step_memory.h"

#include <fmt/format.h>

#include "engine/base/buffer.h"
#include "engine/nn/network.h"
#include "engine/ops/cross_entropy.h"
#include "tools/measurement/memory.h"

namespace edgeprune {
namespace {

/// For the code that oneDNN generates, its scratchpads and the threads' stacks: at least.
constexpr int64_t kBeside = int64_t{64} << 20;

/// A step takes less than so many times what its convolutions write.
constexpr int64_t kPlenty = 6;

/// With less, measuring could take what the step needs: oneDNN keeps its code for these batches,
/// too.
constexpr int64_t kRoomToMeasure = int64_t{1} << 30;

/// Bytes of what the convolutions write: each is read again on the way back.
int64_t convolution_outputs(const Graph& graph, int64_t batch) {
  int64_t floats = 0;
  const std::vector<MapShape> shapes = infer_shapes(graph);
  for (size_t i = 1; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto convolution = conv2d_shape(node.kind, shapes[node.inputs[0]]);
    if (convolution) floats += convolution->output_count();
  }
  return batch * floats * int64_t{sizeof(float)};
}

int64_t bytes_taken() {
  const BufferStats stats = buffer_stats();
  return static_cast<int64_t>(stats.bytes_in_use + stats.bytes_pooled);
}

/// Freed buffers stay in the pool, so that after a step it shows the most that there ever was.
int64_t taken_by_step(nn::Network& model, int64_t batch) {
  release_pooled_buffers();
  const int64_t before = bytes_taken();
  {
    const int64_t side = model.graph().input_size();
    Rng dropout(0);
    const Variable images(Tensor({batch, side, side, 3}, 0.0f));
    const std::vector<int> labels(static_cast<size_t>(batch), 0);
    ops::cross_entropy(model.forward(images, dropout), labels).backward();
  }
  for (auto& [name, parameter] : model.parameters()) parameter.clear_grad();
  const int64_t taken = bytes_taken() - before;
  release_pooled_buffers();
  return taken;
}

}  // namespace

int64_t measure_step_memory(const Graph& graph, int64_t batch) {
  constexpr int64_t kFew = 4, kMore = 8;
  nn::Network model(graph, 0);
  const int64_t few = taken_by_step(model, kFew), more = taken_by_step(model, kMore);
  const int64_t per_image = (more - few) / (kMore - kFew);
  return few + per_image * (batch - kFew);
}

void require_step_memory(const Graph& graph, int64_t batch) {
  const auto available = available_memory();
  const int64_t least = kBeside + convolution_outputs(graph, batch);
  if (!available || kPlenty * least < *available) return;
  const auto require_bytes = [&](int64_t bytes, const char* how_much) {
    if (bytes <= *available) return;
    throw std::runtime_error(fmt::format(
        "[train] batches of {} images of {}x{} take {} {:.2f} GB of memory, {:.2f} GB are "
        "available: try a smaller --batch",
        batch, graph.input_size(), graph.input_size(), how_much, 1e-9 * double(bytes),
        1e-9 * double(*available)));
  };
  require_bytes(least, "more than");
  if (*available < kRoomToMeasure) return;
  require_bytes(kBeside + measure_step_memory(graph, batch), "about");
}

}  // namespace edgeprune
