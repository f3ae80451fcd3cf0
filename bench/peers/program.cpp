#include "bench/peers/program.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "models/checkpoint.h"

namespace edgeprune::bench {
namespace {

/// The first `batch` images of the file.
Tensor read_images(const std::string& path, int64_t batch, int64_t side) {
  Tensor images({batch, side, side, 3});
  const std::vector<char> content = read_file(path);
  const size_t bytes = size_t(images.count()) * sizeof(float);
  require_file(content.size() >= bytes, path,
               "expected {} images of {}x{} pixels, {} bytes, got {} bytes", batch, side, side,
               bytes, content.size());
  std::memcpy(images.data(), content.data(), bytes);
  return images;
}

}  // namespace

int run_program(int argc, char** argv, const std::string& description,
                const std::function<Tensor(const Task&)>& run) try {
  Task task;
  std::string model, images, logits;
  int batch = 1;
  CLI::App app{description};
  app.add_option("--model", model, "checkpoint")->required();
  app.add_option("--images", images, "float32 values [N,S,S,3], normalised")->required();
  app.add_option("--logits", logits, "file to write: float32 values [N,classes]")->required();
  app.add_option("--batch", batch, "images at a time: the first ones of the file")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--threads", task.threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--seconds", task.seconds, "of measuring")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const Checkpoint checkpoint = load_checkpoint(model, {.quantized = true});
  task.graph = inference_graph(*checkpoint.model, checkpoint.info);
  task.images = read_images(images, batch, checkpoint.model->graph().input_size());
  const Tensor result = run(task);
  const std::string_view bytes(reinterpret_cast<const char*>(result.data()),
                               size_t(result.count()) * sizeof(float));
  write_file_atomically(logits, bytes);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}: {}\n", argv[0], error.what());
  return 1;
}

}  // namespace edgeprune::bench
