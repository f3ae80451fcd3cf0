#include "bench/peers/program.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "models/checkpoint.h"

namespace edgeprune::bench {
namespace {

/// The first `count` images of the file; 0: all.
Tensor read_images(const std::string& path, int64_t count, int64_t side) {
  const std::vector<char> content = read_file(path);
  const size_t image = size_t(3 * side * side) * sizeof(float);
  if (count == 0) count = std::max<int64_t>(1, int64_t(content.size() / image));
  const size_t bytes = size_t(count) * image;
  require_file(content.size() >= bytes, path,
               "expected {} images of {}x{} pixels, {} bytes, got {} bytes", count, side, side,
               bytes, content.size());
  Tensor images({count, side, side, 3});
  std::memcpy(images.data(), content.data(), bytes);
  return images;
}

}  // namespace

int run_program(int argc, char** argv, const std::string& description,
                const std::function<Tensor(const Task&)>& run) try {
  Task task;
  std::string model, images, logits;
  CLI::App app{description};
  app.add_option("--model", model, "checkpoint")->required();
  app.add_option("--images", images, "float32 values [N,S,S,3], normalised")->required();
  app.add_option("--logits", logits, "file to write: float32 values [N,classes]")->required();
  app.add_option("--batch", task.batch, "images at a time: the first ones of the file")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_flag("--all", task.all, "run all images of the file once, a batch at a time");
  app.add_option("--threads", task.threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--seconds", task.seconds, "of measuring")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const Checkpoint checkpoint = load_checkpoint(model, {.quantized = true});
  task.graph = inference_graph(*checkpoint.model, checkpoint.info);
  task.images =
      read_images(images, task.all ? 0 : task.batch, checkpoint.model->graph().input_size());
  require_file(task.images.shape()[0] % task.batch == 0, images,
               "expected a multiple of {} images, got {}", task.batch, task.images.shape()[0]);
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
