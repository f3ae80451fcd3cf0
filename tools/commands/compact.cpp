#include "pruning/compact.h"

#include <filesystem>
#include <memory>

#include "data/synthetic.h"
#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "models/checkpoint.h"
#include "pruning/dead_channels.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/logit_difference.h"
#include "tools/training/channel_table.h"

namespace edgeprune::commands {
namespace {

struct CompactArguments {
  LoadingFlags loading;
  std::string model, out, format = "md";
  DataFlags data;
  int64_t images = 1000;
  int threads = 1;
  bool dry_run = false;
};

Dataset images_for(const CompactArguments& o, const Sight& sight) {
  if (o.data.location.empty()) return synthetic(o.images, Split::test, 0);
  return o.data.open("compact", Split::test, sight, o.images);
}

void run(const CompactArguments& o) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  require_usage(o.dry_run || !o.out.empty(), "compact",
                "--out is missing (or ask for a --dry-run)");
  const auto claim = o.dry_run ? nullptr : claim_output(o.out);
  Checkpoint masked = o.loading.load(o.model);
  const ChannelPlan plan = plan_dead_channels(*masked.model);
  require(o.dry_run || removed_channels(plan) > 0, "compact",
          "no channel of {} can go (--dry-run says why): prune it with --method channel --mode "
          "group-mask, or at once with --mode compact",
          o.model);
  const auto small = compact(*masked.model, plan);
  Table table = channel_table(plan, summarize(*masked.model), summarize(*small));
  if (!o.dry_run) {
    const Dataset data = images_for(o, sight_of(masked));
    const LogitDifference difference = compare_logits(*masked.model, *small, masked.info, data);
    require(difference.is_rounding(), "compact",
            "logits differ by {:.3g} (the largest is {:.3g}): nothing written", difference.largest,
            difference.largest_logit);
    const auto bytes_before = static_cast<int64_t>(std::filesystem::file_size(o.model));
    masked.info.history.push_back({{"step", "compact"}, {"parent", masked.sha256}});
    save_checkpoint(o.out, *small, masked.info);
    add_channel_row(table, "file bytes", bytes_before,
                    static_cast<int64_t>(std::filesystem::file_size(o.out)));
    table.add_row({"largest logit difference", {}, Number{difference.largest, 9}, {}, {}});
    say(
        fmt::format("{}: largest logit difference {:.2g} (the largest logit is {:.3g}), {} labels "
                    "changed, on {} images of {}",
                    o.out, difference.largest, difference.largest_logit, difference.labels_changed,
                    difference.images, data.source));
  }
  print(table, o.format);
}

}  // namespace

void add_compact(CLI::App& app) {
  auto* command = app.add_subcommand(
      "compact", "Turn a model with zeroed channels into a small one that computes the same");
  auto o = std::make_shared<CompactArguments>();
  add_model(*command, o->model, o->loading);
  command->add_option("--out", o->out, "checkpoint to write");
  o->data.add(*command)->description(
      "test images to compare the logits of both models on (see eval --help; "
      "default: the synthetic set)");
  command->add_option("--limit", o->images, "so many of them")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add_former_name(*command, "--images", o->images);
  command->add_flag("--dry-run", o->dry_run, "only say what would go, what would not, and why");
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "A channel goes if it is exactly zero wherever it is read, or if nothing reads it. The\n"
      "model is written only if the logits of both are the same but for float32 rounding.\n"
      "Examples:\n"
      "  edgeprune prune --model base.safetensors --method channel --mode group-mask --sparsity "
      "0.5 --out masked.safetensors\n"
      "  edgeprune compact --model masked.safetensors --out small.safetensors --data cifar10\n"
      "  edgeprune compact --model masked.safetensors --dry-run --format csv");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
