#include <fmt/format.h>
#include <algorithm>
#include <cmath>

#include <memory>
#include <numeric>

#include "data/image.h"
#include "data/preprocess.h"
#include "engine/base/parallel.h"
#include "engine/inference/plan.h"
#include "models/checkpoint.h"
#include "models/fold.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/kernel_cache.h"

namespace edgeprune::commands {
namespace {

constexpr size_t kTop = 5;

struct PredictArguments {
  LoadingFlags loading;
  std::string model, engine = "dense", format = "md";
  std::vector<std::string> images;
  bool logits = false;
  int threads = 1;
};

std::vector<double> softmax(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> probabilities;
  for (const float logit : logits) probabilities.push_back(std::exp(logit - largest));
  const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
  for (double& p : probabilities) p /= sum;
  return probabilities;
}

std::vector<Cell> top_row(const std::string& image, std::span<const float> logits,
                          const std::vector<std::string>& classes, size_t top) {
  const std::vector<double> probabilities = softmax(logits);
  std::vector<size_t> order(classes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  std::vector<Cell> row{image};
  for (size_t i = 0; i < top; ++i) {
    row.push_back(classes[order[i]]);
    row.push_back(Number{100 * probabilities[order[i]], 1});
  }
  return row;
}

void run(const PredictArguments& o) {
  const ThreadScope threads(o.threads);
  const ThreadNotes notes(o.threads);
  const Checkpoint checkpoint = o.loading.load(o.model);
  const auto& classes = checkpoint.info.classes;
  const int size = static_cast<int>(checkpoint.model->architecture().input_size);
  inference::Plan plan(fold_batch_norm(*checkpoint.model), inference::parse_engine(o.engine), 1,
                       &kernel_choices());
  Preprocessor preprocess(size, {checkpoint.info.mean, checkpoint.info.std});

  const size_t top = std::min(kTop, classes.size());
  std::vector<Column> columns{{"image", "image", Align::left}};
  if (o.logits) {
    for (const std::string& name : classes) columns.push_back({name, name});
  } else {
    for (size_t i = 1; i <= top; ++i) {
      columns.push_back({fmt::format("top {}", i), fmt::format("top{}", i), Align::left});
      columns.push_back({"%", fmt::format("top{}_percent", i)});
    }
  }
  Table table(columns);
  Tensor input({1, size, size, 3}), logits({1, plan.classes()});
  for (const std::string& path : o.images) {
    preprocess(read_image(path, checkpoint.info.resize, size), input.values());
    plan.run(input.data(), logits.data());
    if (o.logits) {
      std::vector<Cell> row{path};
      for (const float logit : logits.values()) row.push_back(Number{logit, 5});
      table.add_row(row);
    } else {
      table.add_row(top_row(path, logits.values(), classes, top));
    }
  }
  print(table, o.format);
}

}  // namespace

void add_predict(CLI::App& app) {
  auto* command =
      app.add_subcommand("predict", "Classify images: the five likeliest classes, a line an image");
  auto o = std::make_shared<PredictArguments>();
  add_model(*command, o->model, o->loading);
  command->add_option("images", o->images, "JPEG, PNG or BMP files")->required();
  command->add_flag("--logits", o->logits, "the raw logits of every class instead");
  add_engine(*command, o->engine);
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune predict --model base.safetensors cat.jpg dog.png\n"
      "  edgeprune predict --model base.safetensors --logits --format csv *.jpg");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
