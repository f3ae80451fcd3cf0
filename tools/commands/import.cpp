#include <fmt/format.h>

#include <memory>

#include "engine/base/file.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {
namespace {

struct ImportArguments {
  std::string in, out;
  double width = 1.0;
  int64_t input_size = 64, classes = 10;
  uint64_t seed = 0;
};

void run(const ImportArguments& o) {
  require_writable(o.out);
  const Pretrained loaded =
      load_pretrained(o.in, Architecture::mobilenet_v2(o.width, o.input_size, o.classes), o.seed);
  ModelInfo info;
  for (int64_t i = 0; i < o.classes; ++i) info.classes.push_back("class " + std::to_string(i));
  info.history.push_back({{"step", "import"}, {"sha256", sha256_of_file(o.in)}});
  save_checkpoint(o.out, *loaded.model, info);
  say(loaded.head);
  say(fmt::format("{}: {} tensors", o.out, loaded.model->state_dict().size()));
}

}  // namespace

void add_import(CLI::App& app) {
  auto* command =
      app.add_subcommand("import", "Turn torchvision's MobileNetV2 .pth into a checkpoint");
  auto o = std::make_shared<ImportArguments>();
  command->add_option("in", o->in, "mobilenet_v2-*.pth (zip or legacy container)")->required();
  command->add_option("out", o->out, "checkpoint to write (.safetensors)")->required();
  command
      ->add_option("--classes", o->classes,
                   "of the head; another number than the file's replaces it")
      ->check(CLI::Range(2, 100000))
      ->capture_default_str();
  command->add_option("--input-size", o->input_size, "image size to run at")->capture_default_str();
  command->add_option("--width", o->width, "width multiplier")->capture_default_str();
  command->add_option("--seed", o->seed, "of a new head's weights")->capture_default_str();
  command->footer(
      "Example:\n  edgeprune import mobilenet_v2-b0353104.pth imagenet.safetensors --classes 1000");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
