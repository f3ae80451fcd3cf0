#include <fmt/format.h>

#include <memory>

#include "engine/base/file.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {
namespace {

struct ImportArguments {
  std::string in, out;
  Wanted wanted;
  std::vector<std::string> class_names;
  ForeignFlags foreign;
};

void run(const ImportArguments& o) {
  const int64_t names = std::ssize(o.class_names);  // of one: may be a file of them
  require_usage(o.wanted.classes == 0 || names < 2 || names == o.wanted.classes, "import",
                "--classes {} and {} --class-names contradict each other", o.wanted.classes, names);
  require_other_file(o.in, o.out, "import");
  const auto claim = claim_output(o.out);
  Wanted wanted = o.wanted;
  o.foreign.set(wanted);
  Checkpoint loaded = load_checkpoint(o.in, wanted);
  for (const std::string& note : loaded.notes) say(note);
  if (!o.class_names.empty()) set_class_names(loaded.info, o.class_names);
  save_checkpoint(o.out, *loaded.model, loaded.info);
  say(fmt::format("{}: {} tensors", o.out, loaded.model->state_dict().size()));
}

}  // namespace

void add_import(CLI::App& app) {
  auto* command = app.add_subcommand(
      "import", "Turn a PyTorch checkpoint, or an ONNX file, into a checkpoint of edgeprune's");
  auto o = std::make_shared<ImportArguments>();
  command
      ->add_option(
          "in", o->in,
          "what torch.save or torch.jit.save wrote, or .safetensors of any tool: one of the "
          "networks that --network lists, with the names of torchvision, timm or Hugging "
          "Face's transformers; or .onnx of a network in floats of the operators "
          "that models/README.md lists")
      ->required();
  command->add_option("out", o->out, "checkpoint to write (.safetensors)")->required();
  command
      ->add_option("--classes", o->wanted.classes,
                   "of the head; another number than the file's replaces it (default: the file's)")
      ->check(CLI::Range(2, 100000));
  add_class_names(*command, o->class_names);
  add_input_size(*command, o->wanted.input_size);
  add_network(*command, o->wanted.network);
  add_width(*command, o->wanted.width);
  o->foreign.add(*command);
  command->add_option("--seed", o->wanted.seed, "of a new head's weights")
      ->check(seed())
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  edgeprune import mobilenet_v2-b0353104.pth imagenet.safetensors\n"
      "  edgeprune import exported.onnx mine.safetensors\n"
      "  edgeprune import mine.pth mine.safetensors --class-names ok,scratched --input-size 224\n"
      "  edgeprune import run/last.ckpt student.safetensors --key student\n"
      "  edgeprune import tf_efficientnet_lite0.safetensors lite0.safetensors --trained-in "
      "tensorflow --input-size 224");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
