#include <filesystem>
#include <memory>

#include "models/onnx/write.h"
#include "models/onnx_export.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {
namespace {

struct ExportArguments {
  LoadingFlags loading;
  std::string model, out;
  onnx::ExportOptions options{.producer_version = EDGEPRUNE_VERSION};
};

void run(const ExportArguments& o) {
  require_other_file(o.model, o.out, "export");
  const auto claim = claim_output(o.out);
  Checkpoint checkpoint = o.loading.load(o.model, true);
  checkpoint.info.history.push_back({{"step", "export"}, {"parent", checkpoint.sha256}});
  const onnx::Model model = onnx::to_onnx(*checkpoint.model, checkpoint.info, o.options);
  onnx::write_onnx(o.out, model);
  say(fmt::format("{}: {} nodes, opset {}, {} bytes", o.out, model.nodes.size(), model.opset,
                  std::filesystem::file_size(o.out)));
}

}  // namespace

void add_export(CLI::App& app) {
  auto* command =
      app.add_subcommand("export", "Write a model, quantised ones too, as ONNX for other runtimes");
  auto o = std::make_shared<ExportArguments>();
  add_model(*command, o->model, o->loading);
  command->add_option("out", o->out, "file to write (.onnx)")->required();
  command->add_option("--opset", o->options.opset, "version of ONNX's operators")
      ->check(CLI::Range(onnx::kOldestOpset, onnx::kNewestOpset))
      ->capture_default_str();
  auto* batch = command->add_option("--batch", o->options.batch, "images at a time")
                    ->check(CLI::Range(1, 65536))
                    ->capture_default_str();
  command
      ->add_flag_callback(
          "--dynamic-batch", [o] { o->options.batch = onnx::kAnyBatch; },
          "any number of images at a time")
      ->excludes(batch);
  command->add_flag("--preprocess", o->options.preprocess,
                    "take an image file's pixels, uint8 [N,H,W,3], red first, and normalise them "
                    "(default: normalised float32 [N,3,H,W])");
  command->footer(
      "Batch norm is folded, zeros stay zeros. A quantised model is in QDQ form, which runtimes\n"
      "fuse to integers. The input is called images, the output logits; the file's metadata have\n"
      "the network's name, the classes, normalisation, how images are resized, and the history.\n"
      "Examples:\n"
      "  edgeprune export --model tuned.safetensors tuned.onnx\n"
      "  edgeprune export --model int8.safetensors int8.onnx --preprocess --dynamic-batch\n"
      "  edgeprune export --model mobilenet_v2.pth --input-size 224 imagenet.onnx --opset 13");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
