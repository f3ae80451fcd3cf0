#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <numeric>

#include "data/image.h"
#include "data/image_folder.h"
#include "data/preprocess.h"
#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/printable.h"
#include "engine/inference/plan.h"
#include "models/checkpoint.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/confusion.h"
#include "tools/measurement/kernel_cache.h"

namespace edgeprune::commands {
namespace {

namespace fs = std::filesystem;

constexpr size_t kTop = 5;

struct PredictArguments {
  LoadingFlags loading;
  std::string model, engine = "dense", format = "md";
  std::vector<std::string> images;
  std::string list;
  bool logits = false, probabilities = false;
  int threads = 1;
};

std::vector<Cell> top_row(const std::string& image, std::span<const float> logits,
                          const std::vector<std::string>& classes, size_t top, bool json) {
  const std::vector<double> probabilities = softmax(logits);
  std::vector<size_t> order(classes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  std::vector<Cell> row{image};
  if (json) {
    auto best = nlohmann::ordered_json::array();
    for (size_t i = 0; i < top; ++i) {
      best.push_back({{"class", classes[order[i]]}, {"percent", 100 * probabilities[order[i]]}});
    }
    row.push_back(Structured{"", std::move(best)});
    return row;
  }
  for (size_t i = 0; i < top; ++i) {
    row.push_back(classes[order[i]]);
    row.push_back(Number{100 * probabilities[order[i]], 1});
  }
  return row;
}

void add_list(const std::string& path, std::vector<std::string>& images) {
  std::ifstream file;
  if (path != "-") {
    require_file(fs::exists(path) && !fs::is_directory(path), path,
                 "there is no such list of images");
    file.open(path);
    require_file(file.good(), path, "cannot be read");
  }
  std::istream& lines = path == "-" ? std::cin : file;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) images.push_back(line);
  }
  require_file(!lines.bad(), path, "cannot be read to its end");
}

/// Images of a folder and of those in it, in order of name; hidden ones are passed over.
void add_folder(const std::string& folder, std::vector<std::string>& images) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  for (const fs::path& path : entries) {
    if (path.filename().string().starts_with('.')) continue;
    // A link to a folder may lead back to where it lies.
    if (fs::is_directory(path) && !fs::is_symlink(path)) add_folder(path, images);
    if (has_image_extension(path)) images.push_back(path);
  }
}

std::vector<std::string> images_of(const PredictArguments& o) {
  require_usage(!o.images.empty() || !o.list.empty(), "predict",
                "there are no images: name files or folders, or --list");
  std::vector<std::string> named = o.images, images;
  if (!o.list.empty()) add_list(o.list, named);
  for (const std::string& path : named) {
    if (!fs::is_directory(path)) {
      images.push_back(path);  // what it is called does not matter
      continue;
    }
    const size_t before = images.size();
    add_folder(path, images);
    if (images.size() == before) say(fmt::format("note: no images in {}", printable(path)));
  }
  require(!images.empty(), "predict", "there are no images in what was named");
  return images;
}

/// A class's name is a value in JSON, not a key.
bool for_programs(const PredictArguments& o) {
  return o.format == "json";
}

std::vector<Column> columns_of(const PredictArguments& o, const std::vector<std::string>& classes,
                               size_t top) {
  std::vector<Column> columns{{"image", "image", Align::left}};
  if (o.probabilities) columns.push_back({"class", "class", Align::left});
  if (for_programs(o)) {
    const char* key = o.logits ? "logits" : o.probabilities ? "probabilities" : "top";
    columns.push_back({key, key});
    return columns;
  }
  if (o.logits || o.probabilities) {
    for (const std::string& name : classes) columns.push_back({name, name});
    return columns;
  }
  for (size_t i = 1; i <= top; ++i) {
    columns.push_back({fmt::format("top {}", i), fmt::format("top{}", i), Align::left});
    // A CSV file's columns are looked up by their names; in a table to read, the rank stands beside it.
    columns.push_back(
        {o.format == "csv" ? fmt::format("top {} %", i) : "%", fmt::format("top{}_percent", i)});
  }
  return columns;
}

/// A cell a class, or all of them in one for programs.
void add_values(const PredictArguments& o, std::span<const double> values, int precision,
                const char* key, const std::vector<std::string>& classes, std::vector<Cell>& row) {
  auto all = nlohmann::ordered_json::array();
  for (size_t c = 0; c < classes.size(); ++c) {
    all.push_back({{"class", classes[c]}, {key, values[c]}});
    if (!for_programs(o)) row.push_back(Number{values[c], precision});
  }
  if (for_programs(o)) row.push_back(Structured{"", std::move(all)});
}

std::vector<Cell> row_of(const PredictArguments& o, const std::string& path,
                         std::span<const float> logits, const std::vector<std::string>& classes,
                         size_t top) {
  if (!o.logits && !o.probabilities) return top_row(path, logits, classes, top, for_programs(o));
  std::vector<Cell> row{path};
  if (o.logits) {
    const std::vector<double> values(logits.begin(), logits.end());
    add_values(o, values, 5, "logit", classes, row);
    return row;
  }
  const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  row.push_back(classes[static_cast<size_t>(best)]);
  add_values(o, softmax(logits), 6, "probability", classes, row);
  return row;
}

void run(const PredictArguments& o, bool engine_given) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  const ThreadNotes notes(o.threads);
  const std::vector<std::string> images = images_of(o);
  const Checkpoint checkpoint = o.loading.load(o.model, true);
  const auto& classes = checkpoint.info.classes;
  const int size = static_cast<int>(checkpoint.model->graph().input_size());
  const std::string engine = engines_for(checkpoint, engine_given, {o.engine}).front();
  inference::Plan plan(inference_graph(*checkpoint.model, checkpoint.info),
                       inference::parse_engine(engine), 1, &kernel_choices());
  Preprocessor preprocess(size, {checkpoint.info.mean, checkpoint.info.std});

  const size_t top = std::min(kTop, classes.size());
  Table table(columns_of(o, classes, top));
  Tensor input({1, size, size, 3}), logits({1, plan.classes()});
  std::vector<std::string> bad;
  for (const std::string& path : images) {
    throw_if_interrupted();
    try {
      preprocess(read_image(path, checkpoint.info.resize, size), input.values());
    } catch (const FileError& error) {
      bad.emplace_back(error.what());  // the other images are worth as much as before
      continue;
    }
    plan.run(input.data(), logits.data());
    table.add_row(row_of(o, path, logits.values(), classes, top));
  }
  if (bad.size() < images.size()) print(table, o.format);
  if (bad.empty()) return;
  if (images.size() == 1) throw FileError(bad.front());
  for (const std::string& error : bad) say("warning: " + error);
  throw FileError(
      fmt::format("[predict] {} of {} images could not be read", bad.size(), images.size()));
}

}  // namespace

void add_predict(CLI::App& app) {
  auto* command =
      app.add_subcommand("predict", "Classify images: the five likeliest classes, a line an image");
  auto o = std::make_shared<PredictArguments>();
  add_model(*command, o->model, o->loading);
  command->add_option("images", o->images,
                      image_formats() + " files, and folders of them with all their folders");
  command->add_option("--list", o->list,
                      "file that names images or folders, a line each; -: stdin");
  auto* logits = command->add_flag("--logits", o->logits, "the raw logits of every class instead");
  command
      ->add_flag("--probabilities", o->probabilities,
                 "the class and the probability of every class instead, between 0 and 1")
      ->excludes(logits);
  auto* engine = add_engine(*command, o->engine);
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune predict --model base.safetensors cat.jpg dog.png\n"
      "  edgeprune predict --model base.safetensors --logits --format csv *.jpg\n"
      "  find parts -name '*.png' | edgeprune predict --model ok_defect.safetensors --list - "
      "--probabilities --format csv\n"
      "  edgeprune predict --model base.safetensors photos --format json > predicted.json\n"
      "A row an image, by the path that it was found under: CSV has the columns image, top 1, top "
      "1 % "
      "... or, with --probabilities, image, class, and one with each class's name; JSON has "
      "objects "
      "{image, top: [{class, percent}]} or {image, class, probabilities: [{class, probability}]}.\n"
      "Images that cannot be read are named at the end, when all others are printed; the exit "
      "status is then 1.");
  command->callback([o, engine] { run(*o, engine->count() > 0); });
}

}  // namespace edgeprune::commands
