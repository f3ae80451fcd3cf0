#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "engine/base/printable.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/commands/station/station_options.h"
#include "tools/measurement/evaluate.h"
#include "tools/station/decision/calibration.h"

namespace edgeprune::commands {
namespace {

constexpr double kRecall = 0.99;  ///< of defects of which nothing else is said

struct CalibrateArguments {
  LoadingFlags loading;
  DataFlags data;
  std::string model, engine = "dense", split = "test", out, format = "md";
  std::vector<std::string> good, recalls;
  double reject_precision = 0.95, confidence = 0.95;
  int64_t limit = 0;
  int threads = 1;
};

station::Wishes wishes_of(const CalibrateArguments& o, const std::vector<std::string>& classes) {
  station::Wishes wishes{.good = std::vector<bool>(classes.size(), false),
                         .recalls = {},
                         .reject_precision = o.reject_precision,
                         .confidence = o.confidence};
  for (const std::string& name : o.good)
    wishes.good[index_of_class("--good", name, classes)] = true;
  wishes.recalls = recalls_of(o.recalls, classes, wishes.good, kRecall);
  return wishes;
}

Table outcome_table(const station::Policy& policy, const station::Wishes& wishes,
                    const std::vector<station::ClassOutcome>& outcomes) {
  Table table({{"class", "class", Align::left},
               {"good", "good", Align::left},
               {"images", "images"},
               {"passed", "passed"},
               {"rejected", "rejected"},
               {"review", "review"},
               {"diverted %", "diverted_percent"},
               {"at least %", "diverted_bound_percent"},
               {"wanted %", "recall_wanted_percent"},
               {"clear below", "clear_below"},
               {"reject from", "reject_from"}});
  for (size_t c = 0; c < outcomes.size(); ++c) {
    const station::ClassRule& rule = policy.classes[c];
    const auto& [images, passed, rejected, reviewed] = outcomes[c];
    const int64_t diverted = images - passed;
    std::vector<Cell> row = {
        rule.name,
        rule.good ? "yes" : "no",
        images,
        passed,
        rejected,
        reviewed,
        images > 0 ? Cell(Number{100 * double(diverted) / double(images), 2}) : Cell()};
    if (rule.good) {
      row.resize(11);
    } else {
      row.push_back(Number{100 * station::lower_bound(diverted, images, wishes.confidence), 2});
      row.push_back(Number{100 * wishes.recalls[c], 2});
      row.push_back(Number{double(rule.clear_below), 5});
      row.push_back(rule.reject_from > 1 ? Cell() : Cell(Number{double(rule.reject_from), 5}));
    }
    table.add_row(std::move(row));
  }
  return table;
}

/// Promises that so few images cannot keep are no promises.
void say_too_few(const CalibrateArguments& o, const station::Policy& policy,
                 const station::Wishes& wishes,
                 const std::vector<station::ClassOutcome>& outcomes) {
  for (size_t c = 0; c < outcomes.size(); ++c) {
    const station::ClassRule& rule = policy.classes[c];
    if (rule.good ||
        station::misses_allowed(outcomes[c].images, wishes.recalls[c], o.confidence) >= 0)
      continue;
    say(fmt::format(
        "warning: {} images of '{}' are too few to promise a recall of {:g} %: {} are needed; none "
        "of these "
        "passes, which promises {:.2f} %",
        outcomes[c].images, printable(rule.name), 100 * wishes.recalls[c],
        station::images_to_promise(wishes.recalls[c], o.confidence),
        100 * station::lower_bound(outcomes[c].images, outcomes[c].images, o.confidence)));
  }
}

void say_rates(const station::HeldOut& held_out, const station::Policy& policy,
               const std::vector<station::ClassOutcome>& outcomes) {
  const station::Truth before = truth_of(held_out, 1),
                       after = truth_of(held_out, policy.temperature);
  say(fmt::format(
      "temperature {:.4f}{}: loss {:.4f} (before {:.4f}), expected calibration error {:.2f} % "
      "(before {:.2f} %)",
      policy.temperature,
      policy.temperature <= station::kColdest || policy.temperature >= station::kHottest
          ? ", the end of its range"
          : "",
      after.loss, before.loss, 100 * after.calibration_error, 100 * before.calibration_error));
  station::ClassOutcome all, good;
  for (size_t c = 0; c < outcomes.size(); ++c) {
    for (auto* sum : {&all, policy.classes[c].good ? &good : nullptr}) {
      if (sum == nullptr) continue;
      sum->images += outcomes[c].images, sum->passed += outcomes[c].passed;
      sum->rejected += outcomes[c].rejected, sum->reviewed += outcomes[c].reviewed;
    }
  }
  const auto percent = [](int64_t part, int64_t whole) {
    return 100 * double(part) / double(std::max<int64_t>(whole, 1));
  };
  say(
      fmt::format("of {} images {:.2f} % pass, {:.2f} % are rejected, {:.2f} % reviewed; of {} "
                  "good ones {:.2f} % are rejected "
                  "falsely, {:.2f} % reviewed",
                  all.images, percent(all.passed, all.images), percent(all.rejected, all.images),
                  percent(all.reviewed, all.images), good.images,
                  percent(good.rejected, good.images), percent(good.reviewed, good.images)));
}

void run(const CalibrateArguments& o, bool engine_given) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  const ThreadNotes notes(o.threads);
  require_other_file(o.model, o.out, "calibrate");
  const auto claim = claim_output(o.out);
  const Checkpoint checkpoint = o.loading.load(o.model, true);
  const Dataset data =
      o.data.open("calibrate", value_of("split", kSplits, o.split), sight_of(checkpoint), o.limit);
  require_same_classes(checkpoint.info.classes, data);
  // The model's, as the station compares them with the policy's.
  const std::vector<std::string>& classes = checkpoint.info.classes;
  const station::Wishes wishes = wishes_of(o, classes);
  const std::string engine = engines_for(checkpoint, engine_given, {o.engine}).front();
  const Evaluation result =
      evaluate(*checkpoint.model, checkpoint.info, data, inference::parse_engine(engine));
  report_warning(result.warning, false, say);
  const station::HeldOut held_out{result.logits.values(), data.labels, classes.size()};
  const station::Policy policy = station::calibrate(held_out, classes, wishes);
  const auto outcomes = station::outcomes(held_out, policy);
  write_file_atomically(o.out, station::policy_text(policy));
  say_rates(held_out, policy, outcomes);
  say_too_few(o, policy, wishes, outcomes);
  print(outcome_table(policy, wishes, outcomes), o.format);
}

}  // namespace

void add_calibrate(CLI::App& app) {
  auto* command = app.add_subcommand(
      "calibrate", "From held-out images, the thresholds by which a station passes and rejects");
  auto o = std::make_shared<CalibrateArguments>();
  add_model(*command, o->model, o->loading);
  o->data.add(*command)->description(
      "images that the model was not trained on, of every defect some hundreds (see train --help)");
  distinct(
      command->add_option("--good", o->good, "classes whose items are to pass")->delimiter(','))
      ->required();
  add_recalls(*command, o->recalls,
              "share of a defect's items that must not pass: DEFECT=SHARE, or SHARE for all others "
              "(default: 0.99)");
  command
      ->add_option(
          "--reject-precision", o->reject_precision,
          "share of the rejected items that must be defective; what is less sure is reviewed")
      ->transform(fraction(true))
      ->capture_default_str();
  command
      ->add_option("--confidence", o->confidence,
                   "of the one-sided bounds on recalls, by Clopper and Pearson")
      ->transform(fraction())
      ->check(positive())
      ->capture_default_str();
  auto* engine = add_engine(*command, o->engine);
  command
      ->add_option("--split", o->split, explained(kSplits) + "; a folder's val/ is its test images")
      ->check(choices(kSplits))
      ->capture_default_str();
  command->add_option("--limit", o->limit, "so many images, of each class in proportion; 0: all")
      ->check(not_negative())
      ->capture_default_str();
  command->add_option("--out", o->out, "policy to write (JSON)")->required();
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "Probabilities are first made true by one temperature (Guo et al. 2017). An item passes if "
      "every defect's probability\n"
      "is below its `clear below`, is rejected from `reject from` on, and reviewed between. `at "
      "least` is what the share of\n"
      "diverted items really is, with that confidence.\n"
      "Examples:\n"
      "  edgeprune calibrate --model parts.safetensors --data parts --good ok --recall 0.99 --out "
      "policy.json\n"
      "  edgeprune calibrate --model int8.safetensors --data parts --good ok,dusty --recall "
      "scratched=0.995,bent=0.98 "
      "--out policy.json\n"
      "  edgeprune calibrate --model base.safetensors --data cifar10 --good airplane,ship --recall "
      "0.95 "
      "--reject-precision 0.9 --out policy.json");
  command->callback([o, engine] { run(*o, engine->count() > 0); });
}

}  // namespace edgeprune::commands
