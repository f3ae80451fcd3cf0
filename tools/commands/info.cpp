#include <fmt/ranges.h>

#include <filesystem>
#include <memory>

#include "engine/inference/assignment.h"
#include "models/checkpoint.h"
#include "models/summary.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {
namespace {

struct InfoArguments {
  LoadingFlags loading;
  std::string model, format = "md";
};

/// "int8", "float32": in what numbers a layer's weights are.
std::string numbers_of(const ModelInfo& info, const std::string& layer) {
  return info.quantization && info.quantization->weight_scales.contains(layer) ? "int8" : "float32";
}

/// Those that run the model.
std::vector<std::string> engines_that_run(const Checkpoint& checkpoint) {
  const inference::Graph graph = inference_graph(*checkpoint.model, checkpoint.info);
  std::vector<std::string> names;
  for (const auto engine : values_in(inference::kEngines)) {
    if (inference::can_run(engine, graph)) names.push_back(to_string(engine));
  }
  return names;
}

Table layers_table(const ModelSummary& summary, const ModelInfo& info) {
  Table table({{"layer", "layer", Align::left},
               {"kind", "kind", Align::left},
               {"numbers", "numbers", Align::left},
               {"weight", "weight", Align::left},
               {"output", "output", Align::left},
               {"parameters", "parameters"},
               {"nonzeros", "nonzeros"},
               {"sparsity %", "sparsity_percent"},
               {"multiply-adds", "multiply_adds"},
               {"of nonzeros", "nonzero_multiply_adds"}});
  const auto sparsity = [](int64_t count, int64_t nonzeros) {
    return Number{100.0 * (1.0 - double(nonzeros) / double(count)), 2};
  };
  for (const LayerSummary& layer : summary.layers) {
    table.add_row(
        {layer.name, layer.kind, numbers_of(info, layer.name),
         Structured{layer.weight.to_string(), parse_json(layer.weight.to_string(), "shape")},
         Structured{layer.output, parse_json(layer.output, "shape")}, layer.parameters,
         layer.nonzeros, sparsity(layer.parameters, layer.nonzeros), layer.multiply_adds,
         layer.nonzero_multiply_adds});
  }
  table.add_row({"all prunable",
                 {},
                 {},
                 {},
                 {},
                 summary.prunable,
                 summary.nonzero_prunable,
                 sparsity(summary.prunable, summary.nonzero_prunable),
                 summary.multiply_adds,
                 summary.nonzero_multiply_adds});
  table.add_row({"all parameters",
                 {},
                 {},
                 {},
                 {},
                 summary.parameters,
                 summary.nonzero_parameters,
                 sparsity(summary.parameters, summary.nonzero_parameters),
                 {},
                 {}});
  return table;
}

/// All of it as one object, whose member "layers" is the table.
std::string info_json(const InfoArguments& o, const Checkpoint& checkpoint, const Table& layers) {
  const Graph& graph = checkpoint.model->graph();
  const nlohmann::ordered_json info = {
      {"model", o.model},
      {"sha256", checkpoint.sha256},
      {"bytes", std::filesystem::file_size(o.model)},
      {"network", graph.network},
      {"width", graph.width},
      {"input_size", graph.input_size()},
      {"resize", to_string(checkpoint.info.resize)},
      {"mean", checkpoint.info.mean},
      {"std", checkpoint.info.std},
      {"classes", checkpoint.info.classes},
      {"quantized", checkpoint.info.quantization.has_value()},
      {"engines", engines_that_run(checkpoint)},
      {"history", checkpoint.info.history},
      {"layers", nlohmann::ordered_json::parse(layers.render(Format::json))}};
  return json_text(info, 2) + "\n";
}

void run(const InfoArguments& o) {
  const Checkpoint checkpoint = o.loading.load(o.model, true);
  const Graph& graph = checkpoint.model->graph();
  if (o.format == "md") {
    print(fmt::format("{}: {}, width {:g}, {}x{} input, {} classes\n", o.model, graph.network,
                      graph.width, graph.input_size(), graph.input_size(), graph.classes()));
    print(fmt::format("sha256 {}, {} bytes\n", checkpoint.sha256,
                      std::filesystem::file_size(o.model)));
    if (checkpoint.info.quantization) {
      print(fmt::format("quantised: {} layers in 8-bit integers; engines {}\n",
                        checkpoint.info.quantization->weight_scales.size(),
                        fmt::join(engines_that_run(checkpoint), ", ")));
    }
    for (const auto& step : checkpoint.info.history) {
      print(fmt::format("history: {}\n", step.dump()));
    }
    print("\n");
  }
  const Table layers = layers_table(summarize(*checkpoint.model), checkpoint.info);
  if (o.format == "json") return print(info_json(o, checkpoint, layers));
  print(layers, o.format);
}

}  // namespace

void add_info(CLI::App& app) {
  auto* command = app.add_subcommand("info",
                                     "A model's layers: numbers, shapes, parameters, nonzeros, "
                                     "multiply-adds; and how it came to be");
  auto o = std::make_shared<InfoArguments>();
  add_model(*command, o->model, o->loading);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune info --model pruned.safetensors\n"
      "  edgeprune info --model pruned.safetensors --format json | jq .classes\n"
      "JSON is an object: input size, classes and history beside the layers.");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
