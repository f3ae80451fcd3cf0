#include "tools/report/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "tools/report/best_configuration.h"
#include "tools/report/combined.h"
#include "tools/report/conclusions.h"
#include "tools/report/original_results.h"
#include "tools/report/pareto.h"
#include "tools/report/query.h"
#include "tools/report/results_table.h"
#include "tools/report/speed.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

/// The different values of a field.
std::string values(const Results& results, std::string RunRecord::*field) {
  std::vector<std::string> seen =
      distinct(results.rows(), [&](const RunRecord& row) { return row.*field; });
  std::erase(seen, "");
  return seen.empty() ? "unknown" : fmt::format("{}", fmt::join(seen, " / "));
}

std::string machine(const Results& results) {
  std::set<int> threads;
  for (const Timing& timing : timings(results.rows())) threads.insert(timing.threads);
  return fmt::format("Machine: {}; threads: {}; build: {}; commit: {}; trained by commit: {}.",
                     values(results, &RunRecord::cpu),
                     threads.empty() ? "unknown" : fmt::format("{}", fmt::join(threads, ", ")),
                     values(results, &RunRecord::build), values(results, &RunRecord::commit),
                     values(results, &RunRecord::trained_commit));
}

constexpr const char* kLatencyCaption =
    "Milliseconds per image: median, 90th and 99th percentile. \"× unpruned\" is how many times as "
    "fast as the unpruned network on dense kernels, timed in turns, with the interval that holds "
    "it "
    "with 95 % confidence; empty where the remark says why not.";

/// What disturbed the times, over all of them; nothing if it is not on record.
std::string disturbances(const Results& results) {
  double others = 0, most = 0, stolen = 0;
  int64_t switches = 0, counted = 0, known = 0;
  for (const RunRecord& row : results.rows()) {
    for (const LatencyCell& cell : row.latency) {
      if (!cell.load) continue;
      ++counted;
      switches += cell.load->switches;
      if (!cell.load->others) continue;
      ++known;
      others += *cell.load->others;
      most = std::max(most, *cell.load->others);
      stolen += cell.load->stolen.value_or(0);
    }
  }
  if (counted == 0) return {};
  std::string text =
      fmt::format(" While it was timed: {:.0f} involuntary context switches a timing",
                  double(switches) / double(counted));
  if (known > 0) {
    text += fmt::format(
        ", and others kept {:.2f} processors busy on average, {:.2f} at most ({:.2f} stolen by "
        "other "
        "virtual machines)",
        others / double(known), most, stolen / double(known));
  }
  return text + ".";
}

std::string most_accurate(const Results& results) {
  const auto& rows = results.rows();
  const RunRecord& best = *std::max_element(
      rows.begin(), rows.end(),
      [](const RunRecord& a, const RunRecord& b) { return a.accuracy < b.accuracy; });
  std::string text = fmt::format("Most accurate: {} with {:.2f} % at {:.1f} % sparsity", best.id,
                                 100 * best.accuracy, 100 * best.sparsity());
  const RunRecord* baseline = results.baseline();
  if (baseline != nullptr && baseline != &best) {
    text += fmt::format(", {:.2f} points above the baseline",
                        100 * (best.accuracy - baseline->accuracy));
  }
  return text + ".";
}

Tone tone(Verdict verdict) {
  return verdict == Verdict::confirmed    ? Tone::good
         : verdict == Verdict::overturned ? Tone::bad
                                          : Tone::neutral;
}

/// "2000 of 10000 test images"
std::string test_set(const Results& results) {
  const auto& about = results.about();
  const int64_t images = results.rows().front().test_images;
  if (!about) return fmt::format("{} test images", images);
  if (about->whole_test_set()) return fmt::format("the whole test set, {} images", images);
  return fmt::format("{} of {} test images", images, about->of_test_images);
}

std::string chosen_epoch(const Results& results) {
  const auto& about = results.about();
  if (!about || about->validation_images == 0) return "last epoch";
  return fmt::format("epoch that was best on {} training images held out",
                     about->validation_images);
}

/// "10000 of 50000", "all 50000"
std::string part_of(int64_t part, int64_t whole) {
  return part == whole ? fmt::format("all {}", whole) : fmt::format("{} of {}", part, whole);
}

std::string seeds(const Results& results) {
  std::set<uint64_t> seeds;
  for (const RunRecord& run : results.runs()) seeds.insert(run.seed);
  return fmt::format("seed{} {}", seeds.size() == 1 ? "" : "s", fmt::join(seeds, ", "));
}

/// What the plan can decide.
std::string power(const Results& results) {
  const RunRecord* baseline = results.baseline();
  if (baseline == nullptr) return {};
  return fmt::format(
      "The baseline's accuracy of {:.2f} % is known to ± {:.2f} points (95 % confidence, {} test "
      "images): smaller differences between rows mean little, unless McNemar's test on the same "
      "images finds them.",
      100 * baseline->accuracy, 100 * results.resolution(), baseline->test_images);
}

/// What the study is, a line each.
void add_about(Page& page, const Results& results) {
  const int64_t together = std::ranges::count_if(results.rows(), [](const RunRecord& row) {
    return !row.latency.empty() && std::ranges::all_of(row.latency, [](const auto& cell) {
      return cell.factor.has_value();
    });
  });
  const std::string timed =
      fmt::format("{} of {} rows were timed in turns with the unpruned network.", together,
                  results.rows().size());
  page.blocks.push_back(Heading{"What this study is"});
  List list;
  if (const auto& about = results.about()) {
    list.items = {
        about->description.empty() ? fmt::format("Plan: {}.", about->plan)
                                   : fmt::format("Plan: {}. {}.", about->plan, about->description),
        fmt::format("Data: {}, {} classes. The baseline was trained on {} images, pruned networks "
                    "on {} of them; tested on {}.",
                    about->data, about->classes,
                    part_of(about->train_images, about->of_train_images), about->finetune_images,
                    test_set(results)),
        fmt::format("Training: {} epoch{} of the baseline from {}; {}; {}.", about->baseline_epochs,
                    about->baseline_epochs == 1 ? "" : "s", about->weights, about->training,
                    seeds(results)),
        fmt::format("Begun {} by: {}", about->begun, about->command)};
  } else {
    list.items = {
        fmt::format("Tested on {}; {}. Data, plan and training are not on record: the "
                    "study is of an earlier version.",
                    test_set(results), seeds(results))};
  }
  list.items.push_back(power(results));
  list.items.push_back(timed + disturbances(results));
  list.items.push_back(machine(results));
  std::erase(list.items, "");
  page.blocks.push_back(std::move(list));
}

void add_speeds(Page& page, const Results& results) {
  page.blocks.push_back(Heading{"How much faster"});
  for (const std::string& sentence : sparse_against_dense(results)) {
    page.blocks.push_back(Paragraph{sentence});
  }
}

void add_conclusions(Page& page, const Results& results) {
  if (results.follows_original()) {
    page.blocks.push_back(Heading{"The original study's conclusions"});
    page.blocks.push_back(Paragraph{std::string(kOriginalStudy) + " " + kComparableRule});
    for (const Conclusion& one : conclusions(results)) {
      page.blocks.push_back(
          Statement{to_string(one.verdict), tone(one.verdict), one.claim, one.reasons});
    }
  } else {
    add_speeds(page, results);
  }
  if (!timings(results.rows()).empty()) {
    page.blocks.push_back(TableBlock{speed_table(results),
                                     "The largest factors against the unpruned network on dense "
                                     "kernels, by the lower end of their 95 % intervals, with the "
                                     "row and the engine. Noisy timings are left out."});
  }
  Table reached = reached_table(results);
  if (!reached.rows().empty()) {
    page.blocks.push_back(
        TableBlock{std::move(reached), "What iterative rows asked for and what they reached."});
  }
}

/// Rows in integers beside the same in floats.
void add_combined(Page& page, const Results& results) {
  Table table = combined_table(results);
  if (table.rows().empty()) return;
  page.blocks.push_back(Heading{"Pruned, then quantised"});
  if (results.follows_original()) page.blocks.push_back(Paragraph{kOriginalProposal});
  std::vector<std::string> sentences = combined_sentences(results);
  if (!sentences.empty()) page.blocks.push_back(List{std::move(sentences)});
  page.blocks.push_back(TableBlock{
      std::move(table),
      "Each row on its fastest engine. The factors are against the unpruned network in floats on "
      "dense kernels, and against the unpruned one in integers on the engine int8, both timed in "
      "turns with the row, with their 95 % intervals. Milliseconds are at the unpruned network's "
      "pace, CPU time as it was counted."});
  page.blocks.push_back(Paragraph{energy_sentence(results)});
}

void add_results(Page& page, const Results& results) {
  page.blocks.push_back(
      Heading{results.follows_original() ? "Results beside the original study's" : "Results"});
  std::string caption =
      "\"vs baseline\" is in percentage points; p is McNemar's exact test against the baseline on "
      "the same test images.";
  if (const auto timed = main_timings(results.rows()); !timed.empty()) {
    caption += fmt::format(" Latency in ms per image, batch {}, {} thread{}.", timed.back().batch,
                           timed.back().threads, timed.back().threads == 1 ? "" : "s");
  }
  if (results.has_seeds()) {
    caption += " Rows of several seeds show their mean, and the lowest and highest accuracy.";
  }
  page.blocks.push_back(TableBlock{comparison_table(results), caption});
  if (results.follows_original()) page.blocks.push_back(Paragraph{kOriginalCircumstances});
  page.blocks.push_back(Paragraph{most_accurate(results)});
}

void add_best(Page& page, const Results& results) {
  if (results.baseline() == nullptr) return;
  page.blocks.push_back(Heading{"Best configurations"});
  const std::vector<BestRow> best = best_rows(results);
  if (best.empty()) {
    page.blocks.push_back(Paragraph{capitalised(why_none_is_best(results)) + "."});
    return;
  }
  page.blocks.push_back(TableBlock{
      best_sizes(results, best),
      fmt::format("Of all rows at most {} below the baseline.", allowance_text(results))});
  if (timings(results.rows()).empty()) return;
  std::vector<const RunRecord*> rows = {results.baseline()};
  for (const BestRow& one : best) rows.push_back(one.row);
  page.blocks.push_back(TableBlock{latency_table(rows), kLatencyCaption});
}

void add_recovery(Page& page, const Results& results) {
  Table table = recovery_table(results);
  if (table.rows().empty()) return;
  page.blocks.push_back(Heading{"What recovers accuracy"});
  page.blocks.push_back(TableBlock{std::move(table),
                                   "Gain in percentage points over the same pruning and "
                                   "fine-tuning without recovery."});
}

void add_pictures(Page& page, const Results& results, const std::vector<DrawnPicture>& drawn) {
  if (!drawn.empty()) page.blocks.push_back(Heading{"Pictures"});
  for (const DrawnPicture& one : drawn) {
    page.blocks.push_back(
        PictureBlock{"plots/" + one.name + ".svg", one.title, one.caption, one.svg});
    if (one.name == "pareto") {
      page.blocks.push_back(TableBlock{pareto_table(results), "The rows on the Pareto fronts."});
    }
  }
}

/// How rows in integers were made and timed.
std::string about_integers(const Results& results) {
  const auto& about = results.about();
  const std::string calibration =
      about && !about->quantization.empty() ? fmt::format(" ({})", about->quantization) : "";
  return fmt::format(
      "int8: the finished network of the row in floats in 8-bit integers: weights by output "
      "channel, maps by ranges that training images show{}; test images chose none. Their sparsity "
      "is that of the row in floats, though rounding makes some weights more zero. Accuracy is on "
      "the engine int8, whose sums are integers. \"× unpruned INT8\" is against the unpruned "
      "network on the engine int8, in the same rounds, of the faster of int8 and int8-sparse "
      "(which "
      "skips zeros where that pays). -qat: trained on for integers, weights and maps rounded in "
      "every "
      "step, from the row in floats; auto may run some layers in floats.",
      calibration);
}

void add_measurement(Page& page, const Results& results) {
  page.blocks.push_back(Heading{"How it was measured"});
  List list{{
      "Sparsity is 1 − nonzero / total over all parameters of the unpruned network, as in the "
      "original study; \"of prunable\" counts Conv2d and Linear weights only. Removed channels "
      "count as zeros. MACs are multiply-adds an image; those of zeros count as removed.",
      fmt::format("Accuracy is on {}, with the weights of the {}: the test images chose nothing.",
                  test_set(results), chosen_epoch(results)),
      "magnitude, lamp, taylor: single weights, all layers together. channel, channel-taylor: "
      "output channels of every Conv2d, zeroed (mask) with shapes kept. Channel groups go together "
      "and can be removed; compact: they were. taylor, channel-taylor: by what the loss would "
      "change by without them, to first order, on training images (Molchanov et al. 2019).",
      "one-shot: pruned once, then fine-tuned. exact: a fixed part (a tenth, unless the plan says "
      "otherwise) of the original count a step, "
      "fine-tuned after each. compounding: the original study's arithmetic, each step's "
      "fraction of what is left. cubic: Zhu and Gupta's schedule (2017).",
      "Each row was timed in turns with the unpruned network on dense kernels, round after round. "
      "A factor is the median of the rounds' ratios, in brackets the interval that holds the true "
      "one with 95 % confidence (percentile bootstrap): what slows the machine down slows both "
      "down, and cancels. Milliseconds of different rows are of different moments; where they are "
      "compared (fastest row, pictures), they are the unpruned network's, divided by the factor. "
      "dense: dense kernels, zeros multiplied. sparse: zeros skipped in convolutions of one "
      "group behind the first layer, and in the head. auto: the fastest kernels of all, layer by "
      "layer, by times taken on this machine.",
      "Some timings are controls: dense kernels do the same work whatever was zeroed, and where "
      "nothing was, auto has nothing to skip. If a control leaves 1 by more than 5 %, an interval "
      "reaches further than 5 % to either side, or other programs had more than half of a "
      "processor "
      "that the threads needed, the timings of that row, batch and thread count are noisy: no "
      "headline, conclusion, best configuration or Pareto front counts them. An interval speaks of "
      "one run: another run of the same program lays its memory out otherwise, which moves factors "
      "by a few percent.",
      "p-values are McNemar's exact two-sided test on the images that only one of two networks has "
      "right. They say whether two networks differ, not whether another training of either would "
      "(that takes seeds); of several seeds the largest p counts, and 1 if they disagree. They are "
      "not corrected for the number of comparisons.",
  }};
  if (results.has_quantized()) list.items.insert(list.items.begin() + 4, about_integers(results));
  page.blocks.push_back(std::move(list));
  if (results.follows_original()) page.blocks.push_back(Paragraph{kVerdictRule});
}

/// What the sentences behind it are about; nothing if that is not on record.
std::string opening(const Results& results) {
  const auto& about = results.about();
  if (!about) return {};
  return fmt::format(
      "Plan {} on {}: {} epoch{} of the baseline on {} training images, {}, {}; accuracies are "
      "known to ± {:.1f} points. ",
      about->plan, about->cifar10 ? "CIFAR-10" : about->data, about->baseline_epochs,
      about->baseline_epochs == 1 ? "" : "s", part_of(about->train_images, about->of_train_images),
      "tested on " + test_set(results), seeds(results), 100 * results.resolution());
}

}  // namespace

Page report_page(const Results& results, const std::vector<DrawnPicture>& drawn) {
  Page page{.title = "Pruning study", .lead = headline(results), .blocks = {}};
  if (results.rows().empty()) return page;
  if (results.about()) page.title += ": " + results.about()->plan;
  page.lead = opening(results) + page.lead;
  add_about(page, results);
  add_conclusions(page, results);
  add_combined(page, results);
  add_results(page, results);
  add_best(page, results);
  add_recovery(page, results);
  add_pictures(page, results, drawn);
  page.blocks.push_back(Heading{"Size and cost"});
  page.blocks.push_back(TableBlock{size_table(results),
                                   "Parameters and MACs are counted against the unpruned network; "
                                   "epochs and minutes are all training behind the baseline."});
  if (!timings(results.rows()).empty()) {
    page.blocks.push_back(Heading{"Latency"});
    page.blocks.push_back(TableBlock{latency_table(results), kLatencyCaption});
  }
  add_measurement(page, results);
  return page;
}

}  // namespace edgeprune
