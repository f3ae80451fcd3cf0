#include <fmt/format.h>
#include <filesystem>

#include <memory>

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

Table layers_table(const ModelSummary& summary) {
  Table table({{"layer", "layer", Align::left},
               {"kind", "kind", Align::left},
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
    table.add_row({layer.name, layer.kind, layer.weight.to_string(), layer.output, layer.parameters,
                   layer.nonzeros, sparsity(layer.parameters, layer.nonzeros), layer.multiply_adds,
                   layer.nonzero_multiply_adds});
  }
  table.add_row({"all prunable",
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
                 summary.parameters,
                 summary.nonzero_parameters,
                 sparsity(summary.parameters, summary.nonzero_parameters),
                 {},
                 {}});
  return table;
}

void run(const InfoArguments& o) {
  const Checkpoint checkpoint = o.loading.load(o.model);
  const Architecture& architecture = checkpoint.model->architecture();
  if (o.format == "md") {
    print(fmt::format("{}: MobileNetV2, width {:g}, {}x{} input, {} classes\n", o.model,
                      architecture.width, architecture.input_size, architecture.input_size,
                      architecture.classes));
    print(fmt::format("sha256 {}, {} bytes\n", checkpoint.sha256,
                      std::filesystem::file_size(o.model)));
    for (const auto& step : checkpoint.info.history) {
      print(fmt::format("history: {}\n", step.dump()));
    }
    print("\n");
  }
  print(layers_table(summarize(*checkpoint.model)), o.format);
}

}  // namespace

void add_info(CLI::App& app) {
  auto* command = app.add_subcommand(
      "info",
      "A model's layers: shapes, parameters, nonzeros, multiply-adds; and how it came to be");
  auto o = std::make_shared<InfoArguments>();
  add_model(*command, o->model, o->loading);
  add_format(*command, o->format);
  command->footer("Example:\n  edgeprune info --model pruned.safetensors");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
