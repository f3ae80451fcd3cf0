#include "tools/report/report.h"

#include <gtest/gtest.h>

#include "tests/support/expect_contains.h"
#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::compact;
using testing::expect_contains;
using testing::sample_run;
using testing::sample_study;

std::string markdown(const std::vector<RunRecord>& runs) {
  return to_markdown(report_page(Results(runs), {}));
}

TEST(Report, MarkdownNamesMachineBestRunAndTables) {
  const std::string text = markdown(sample_study());
  EXPECT_EQ(text.rfind("# ", 0), 0u);
  expect_contains(
      text,
      "Machine: Sample CPU 9000; threads: 1, 2; build: release; commit: 0123abc; trained by "
      "commit: 4567def.");
  expect_contains(text,
                  "Most accurate: magnitude-exact-50 with 91.78 % at 49.2 % sparsity, 1.98 points "
                  "above the baseline.");
  expect_contains(text, "| channel-exact-70 ");
  expect_contains(text, "| engine | median ms |   p90 |   p99 | × unpruned |");
  expect_contains(
      text,
      "While it was timed: 3 involuntary context switches a timing, and others kept 0.10 "
      "processors busy on average, 0.10 at most (0.00 stolen by other virtual machines).");
}

TEST(Report, MarkdownListsEveryMachineThatTookPart) {
  std::vector<RunRecord> runs = sample_study();
  runs[3].cpu = "Other CPU";
  expect_contains(markdown(runs), "Machine: Sample CPU 9000 / Other CPU;");
}

TEST(Report, FewRowsAndNoLatencyStillMakeAPage) {
  expect_contains(markdown({}), "No run has finished yet.");
  RunRecord untimed = sample_run("none", "none", 0, 0.5);
  untimed.latency.clear();
  const std::string text = markdown({untimed});
  expect_contains(text, "threads: unknown");
  EXPECT_EQ(text.find("faster than dense"), std::string::npos);
  EXPECT_EQ(text.find("## Latency"), std::string::npos);
}

TEST(Report, AllConclusionsComeWithTheirVerdicts) {
  const std::string text = markdown(sample_study());
  expect_contains(text, "**Confirmed: 30 % unstructured pruning beats the baseline.**");
  expect_contains(text, "**Confirmed: structured pruning hurts more at the same sparsity");
  expect_contains(text, "**Not decided: the iterative schedule overshoots its target.**");
  expect_contains(text, "**Overturned: no pruning made the CPU faster.**");
}

StudyAbout quick() {
  return {.plan = "quick",
          .description = "In minutes",
          .data = "/data/parts",
          .weights = "w.pth",
          .classes = 2,
          .cifar10 = false,
          .train_images = 900,
          .finetune_images = 500,
          .of_train_images = 1000,
          .test_images = 10000,
          .of_test_images = 20000,
          .baseline_epochs = 2,
          .training = "batch 64, adam",
          .begun = "2026-11-30 04:58 UTC",
          .command = "edgeprune study --quick"};
}

TEST(Report, SaysWhatTheStudyIs) {
  const std::string text = to_markdown(report_page(Results(sample_study(), quick()), {}));
  expect_contains(
      text,
      "# Pruning study: quick\n\nPlan quick on /data/parts: 2 epochs of the baseline on "
      "900 of 1000 training images, tested on 10000 of 20000 test images, seed 0; "
      "accuracies are known to ± 0.6 points. What makes");
  for (const char* part :
       {"- Plan: quick. In minutes.",
        "2 classes. The baseline was trained on 900 of 1000 images, "
        "pruned networks on 500 of them; tested on 10000 of 20000 test images.",
        "2 epochs of the baseline from w.pth; batch 64, adam; seed 0.",
        "Begun 2026-11-30 04:58 UTC by: edgeprune study --quick",
        "accuracy of 89.80 % is known to ± 0.59 points (95 % confidence, 10000 test images)",
        "13 of 13 rows were timed in turns", "Accuracy is on 10000 of 20000 test images"}) {
    expect_contains(text, part);
  }
  EXPECT_EQ(text.find("whole test set"), std::string::npos);
  StudyAbout all = quick();
  all.of_test_images = 10000;
  expect_contains(to_markdown(report_page(Results(sample_study(), all), {})),
                  "Accuracy is on the whole test set, 10000 images");
}

TEST(Report, OnAUsersOwnDataTheOriginalStudyIsAbsent) {
  const std::string text = to_markdown(report_page(Results(sample_study(), quick()), {}));
  EXPECT_EQ(text.find("riginal"), text.find("riginal study; \"of prunable"))
      << "but for the definition of sparsity";
  EXPECT_EQ(text.find("Confirmed"), std::string::npos);
  expect_contains(text, "## Results\n");
  StudyAbout cifar = quick();
  cifar.cifar10 = true;
  expect_contains(to_markdown(report_page(Results(sample_study(), cifar), {})),
                  "**Not decided by this plan: no pruning made the CPU faster.**");
}

TEST(Report, TheTerminalEndsWithFiveLines) {
  std::vector<RunRecord> runs = sample_study();
  EXPECT_EQ(summary(Results(runs, quick()), "out dir"),
            (std::vector<std::string>{
                "baseline: 89.80 % ± 0.59 points on 10000 test images, after 15 epochs",
                "best at equal accuracy: magnitude-one-shot-70: 68.9 % of the parameters gone, "
                "91.39 % (+1.59 points)",
                "speed: 1.55 times (1.53 to 1.56) as fast as unpruned: magnitude-exact-70, "
                "sparse, batch 64 on 1 thread",
                "report: out dir/report.html",
                "next: edgeprune study --data /data/parts --weights w.pth --out "
                "'out dir-original'"}));
  for (RunRecord& run : runs) {
    for (LatencyCell& cell : run.latency) cell.factor = testing::within(1, 0.2);
  }
  const auto noisy = summary(Results(runs, quick()), "o");
  expect_contains(noisy[2], "speed: 52 of 52 timings are noisy");
  EXPECT_EQ(noisy[4], "next: edgeprune study --plan quick --remeasure --out o");
  StudyAbout own = quick();
  own.plan = "mine";
  own.plan_as_given = "my plans/mine.json";
  EXPECT_EQ(summary(Results(runs, own), "o")[4],
            "next: edgeprune study --plan 'my plans/mine.json' --remeasure --out o");
  EXPECT_EQ(summary(Results(sample_study(), own), "o")[4],
            "next: edgeprune info --model o/magnitude-one-shot-70.safetensors");
}

TEST(Report, SaysThatTheOriginalStudyMeasuredElsewhere) {
  expect_contains(markdown(sample_study()), "lossless CIFAR-10, another machine");
}

TEST(Report, HeadlineSaysHowFastAndAtWhatPrice) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("magnitude", "one-shot", 0.7, 0.898),
                                 compact(sample_run("channel", "one-shot", 0.7, 0.8))};
  const auto timed = [](const std::string& engine, double ms) {
    LatencyCell cell{engine, 1, 1, 9, ms};
    cell.factor = testing::within(1 / ms, 0.02);
    return cell;
  };
  runs[0].latency = {timed("dense", 1.0)};
  runs[1].latency = {timed("dense", 0.99), timed("sparse", 0.5)};
  runs[2].latency = {timed("dense", 0.25)};
  EXPECT_EQ(
      headline(Results(runs)),
      "What makes the pruned network faster than the unpruned one on dense kernels? Zeroed "
      "weights on dense kernels do not (1.01 times in the median of the rows, at most 1.01 times "
      "(0.99 to 1.03) as fast, batch 1 on 1 thread), kernels that skip zeros do (up to 2.00 times "
      "(1.96 to 2.04) as fast, batch 1 on 1 thread), removed channels do (up to 4.00 times (3.92 "
      "to "
      "4.08) as fast, batch 1 on 1 thread). At most 0.59 points (what 10000 test images resolve) "
      "below the "
      "baseline's 90.00 "
      "% accuracy, 68.9 % "
      "of the parameters can go (magnitude-one-shot-70); batch 1 on 1 thread, the "
      "fastest such network takes 0.500 ms an image, 2.00 times (1.96 to 2.04) as fast as the "
      "unpruned one (magnitude-one-shot-70, sparse).");
  runs[1] = sample_run("magnitude", "one-shot", 0.7, 0.89);
  expect_contains(headline(Results(runs)), "No pruned row stays within 0.59 points");
}

TEST(Report, ANoisyTimeIsInNoSentenceAndMarkedInTables) {
  std::vector<RunRecord> runs = sample_study();
  for (LatencyCell& cell : runs[3].latency) cell.factor = testing::within(25.51, 0.01);
  const std::string text = markdown(runs);
  EXPECT_EQ(text.find("up to 25.51"), std::string::npos);
  EXPECT_EQ(text.find("at most 25.51"), std::string::npos);
  EXPECT_EQ(text.find("| 25.51 "), std::string::npos);
  expect_contains(headline(Results(runs)), "4 of 52 timings are noisy and decide nothing: ");
  expect_contains(text,
                  "| noisy: dense kernels, whose work is the same, were 25.51 times as fast |");
}

TEST(Report, RowsThatWereNotTimedTogetherAreSaidToBe) {
  std::vector<RunRecord> runs = sample_study();
  for (RunRecord& run : runs) {
    for (LatencyCell& cell : run.latency) cell.factor.reset(), cell.load.reset();
  }
  const std::string text = markdown(runs);
  EXPECT_EQ(headline(Results(runs)).find("What makes"), std::string::npos);
  expect_contains(headline(Results(runs)),
                  "52 of 52 rows' timings were not taken in turns with the unpruned network's");
  expect_contains(text, "| not timed together |");
  expect_contains(text, "**Not decided: no pruning made the CPU faster.**");
  EXPECT_EQ(text.find("While it was timed"), std::string::npos);
}

TEST(Report, PicturesAreLinkedInMarkdownAndPartOfHtml) {
  const std::vector<DrawnPicture> drawn = {{"accuracy", "Title", "Caption", "<svg><g/></svg>"}};
  const Page page = report_page(Results(sample_study()), drawn);
  expect_contains(to_markdown(page), "![Title](plots/accuracy.svg)");
  expect_contains(to_html(page), "<svg role=\"img\" aria-label=\"Title\"><g/></svg>");
}

TEST(Report, HtmlStandsAloneWhateverTheRowsAreCalled) {
  std::vector<RunRecord> runs = sample_study();
  runs[2].id = runs[2].row = "<img src=\"http://x.example/a.png\">";
  runs[3].cpu = "<script>alert(1)</script>";
  runs[4].recovery = "\" onclick=\"x";
  const std::string html = to_html(report_page(Results(runs), {}));
  for (const std::string part : {"<img", "<script>alert", "\" onclick", "src=\"", "<link"}) {
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  }
  expect_contains(html, "&lt;img src=&quot;");
}

TEST(Report, RecoveryHasAPartOfItsOwn) {
  std::vector<RunRecord> runs = sample_study();
  EXPECT_EQ(markdown(runs).find("## What recovers accuracy"), std::string::npos);
  runs.push_back(sample_run("channel", "one-shot", 0.5, 0.7));
  runs.back().id = runs.back().row = "channel-one-shot-50-rewind";
  runs.back().recovery = "rewind";
  expect_contains(markdown(runs), "## What recovers accuracy");
}

}  // namespace
}  // namespace edgeprune
