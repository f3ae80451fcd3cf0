#include <fmt/format.h>

#include <memory>

#include "engine/base/file.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/measurement/kernel_cache.h"
#include "tools/station/camera/folder_camera.h"
#include "tools/station/drift/monitor.h"
#include "tools/station/pipeline/judge.h"

namespace edgeprune::commands {
namespace {

using namespace station;

struct DriftArguments {
  std::string images, model, policy, engine = "dense", reference, out, format = "md";
  double false_alarms = 1e-6;
  int threads = 1;
};

std::string text_of(const std::string& path) {
  const std::vector<char> text = read_file(path);
  return {text.begin(), text.end()};
}

/// Calls `look` with each image and the confidence that the network has in what it sees there.
template <typename Look>
void look_at_all(const DriftArguments& o, const Look& look) {
  Wanted wanted;
  wanted.quantized = true;
  Judge judge(load_checkpoint(o.model, wanted), parse_policy(text_of(o.policy), o.policy),
              inference::parse_engine(o.engine), o.threads);
  const std::vector<std::string> paths = images_of_camera(o.images);
  Progress progress("images", static_cast<int64_t>(paths.size()), "images");
  for (const std::string& path : paths) {
    throw_if_interrupted();
    const Image image = read_image(path);
    look(path, image, judge(image).decision.confidence);
    progress.advance(1);
  }
}

void make_reference(const DriftArguments& o) {
  const auto claim = claim_output(o.out);
  DriftReferenceBuilder builder;
  look_at_all(o, [&](const std::string&, const Image& image, float confidence) {
    builder.add(image, confidence);
  });
  write_file_atomically(o.out, reference_text(std::move(builder).build()));
}

void compare(const DriftArguments& o) {
  DriftMonitor monitor(parse_reference(text_of(o.reference), o.reference), o.false_alarms);
  look_at_all(o, [&](const std::string& path, const Image& image, float confidence) {
    if (const auto alarm = monitor.add(image, confidence))
      say(fmt::format("item {}, {}: {}", monitor.items(), path, *alarm));
  });
  Table table({{"quantity", "quantity", Align::left},
               {"effect", "effect"},
               {"evidence %", "evidence_percent"},
               {"alarms", "alarms"}});
  for (const DriftState& state : monitor.state()) {
    table.add_row({state.name, Number{state.effect, 2}, Number{100 * state.level, 1},
                   static_cast<int64_t>(state.alarms)});
  }
  print(table, o.format);
}

void run(const DriftArguments& o) {
  require_usage(o.reference.empty() != o.out.empty(), "drift",
                "expected --out, to make a reference, or --reference, to compare with one");
  const InterruptGuard guard;
  o.out.empty() ? compare(o) : make_reference(o);
}

}  // namespace

void add_drift(CLI::App& app) {
  auto* command = app.add_subcommand(
      "drift", "Whether a camera's images are still what they were when the model was released");
  auto o = std::make_shared<DriftArguments>();
  command
      ->add_option(
          "images", o->images,
          "a folder of images as the camera gives them, or a text file that names one a line")
      ->required();
  command->add_option("--model", o->model, "the station's model")->required();
  command->add_option("--policy", o->policy, "and its policy, of `edgeprune calibrate`")
      ->required();
  command->add_option("--out", o->out, "reference to write (JSON), from these images");
  command->add_option("--reference", o->reference,
                      "reference to compare these images with, in order of name");
  command->add_option("--false-alarms", o->false_alarms, "that may come in one item on average")
      ->check(between(1e-12, 0.1))
      ->capture_default_str();
  add_engine(*command, o->engine);
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune drift good_days --model parts.safetensors --policy policy.json --out "
      "reference.json\n"
      "  edgeprune drift today --model parts.safetensors --policy policy.json --reference "
      "reference.json\n"
      "Effects are in standard deviations of the reference (shift: pixels of 64), of the last 100 "
      "images; evidence of 100 % is an alarm. A station\n"
      "whose configuration names the reference (\"drift\": \"reference.json\") watches by itself.");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
