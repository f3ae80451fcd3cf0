#include "tools/station/pipeline/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <limits>
#include <map>

#include "tests/support/sample_judge.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;
using edgeprune::testing::judge_that_says;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class FakeEyes : public Camera {
 public:
  std::optional<Frame> take(Instant) override {
    std::this_thread::sleep_for(slow);
    ++taken;
    if (blind) return std::nullopt;
    return Frame{{side, side, std::vector<uint8_t>(size_t{3} * side * side, 7)},
                 uint64_t(taken),
                 Clock::now()};
  }
  bool connected() const override { return true; }
  CameraCounts counts() const override { return {}; }

  std::chrono::milliseconds slow{0};
  bool blind = false;
  int side = 32;
  int taken = 0;
};

/// Asks for `items` one after the other and remembers what it is told.
class FakeMaster : public Plc {
 public:
  explicit FakeMaster(int items, std::chrono::milliseconds every = 0ms)
      : items_(items), every_(every) {}

  std::optional<Trigger> next(Instant) override {
    if (asked_ == items_) return std::nullopt;
    std::this_thread::sleep_for(every_);
    return Trigger{{1, static_cast<uint16_t>(asked_++)}, Clock::now() - age};
  }
  void answer(const Answer& answer, std::function<void(std::optional<Instant>)> answered) override {
    if (Clock::now() >= answer.deadline) return answered(std::nullopt);
    told[answer.id.trigger] = answer;
    if (deaf) return answered(std::nullopt);
    answered(Clock::now());
  }
  void set_state(State now) override { states.push_back(now); }
  bool connected() const override { return true; }
  PlcCounts counts() const override { return {}; }
  bool done() const { return asked_ == items_; }

  std::map<int, Answer> told;
  std::vector<State> states;
  bool deaf = false;
  std::chrono::milliseconds age{0};  ///< of triggers when they are heard

 private:
  int items_, asked_ = 0;
  std::chrono::milliseconds every_;
};

/// A whole run, and what was kept of it.
struct Shift {
  FakeEyes camera;
  FakeMaster plc;
  PipelineOptions options{.deadline = 10s};
  std::shared_ptr<Judge> judge, second;
  std::mutex mutex;
  std::vector<Record> kept;
  std::vector<bool> with_image;
  Totals totals;

  Shift(int items, std::shared_ptr<Judge> first, std::chrono::milliseconds every = 0ms)
      : plc(items, every), judge(std::move(first)) {}

  void go() {
    Pipeline pipeline(camera, plc, judge, options, [this](Record record, const auto& image) {
      const std::scoped_lock lock(mutex);
      kept.push_back(std::move(record));
      with_image.push_back(image != nullptr);
    });
    if (second) pipeline.set_second(second);
    pipeline.run([this] { return plc.done(); });
    totals = pipeline.totals();
  }
};

TEST(Pipeline, EveryItemGetsItsVerdictOnce) {
  for (const auto& [bias, verdict] : std::map<float, Verdict>{
           {5.0f, Verdict::ok}, {-5.0f, Verdict::reject}, {0.0f, Verdict::review}}) {
    Shift run(20, judge_that_says(bias, 0), 2ms);
    run.options.queue = 20;
    run.go();
    EXPECT_EQ(run.plc.states, (std::vector{State::executing, State::halted}));
    ASSERT_EQ(run.plc.told.size(), 20u);
    ASSERT_EQ(run.kept.size(), 20u);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(run.plc.told[i].verdict, verdict);
      const Record& record = run.kept[size_t(i)];
      EXPECT_EQ(record.id, (ItemId{1, uint16_t(i)}));
      EXPECT_TRUE(run.with_image[size_t(i)]);
      EXPECT_EQ(record.model, "0123456789abcdef");
      EXPECT_EQ(record.policy, "fedcba9876543210");
      const Stamps& at = record.stamps;
      EXPECT_TRUE(at.trigger <= *at.captured && *at.captured <= *at.queued &&
                  *at.queued <= *at.preprocessed && *at.preprocessed <= *at.inferred &&
                  *at.inferred <= *at.decided && *at.decided <= *at.answered);
    }
    EXPECT_EQ(run.totals.items, 20u);
    EXPECT_EQ(run.totals.of(verdict), 20u);
    EXPECT_EQ(run.totals.of(Stage::whole).count(), 20u);
  }
}

TEST(Pipeline, WithoutAnImageNothingPasses) {
  Shift run(5, judge_that_says(5, 0));
  run.camera.blind = true;
  run.go();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run.plc.told[i].verdict, Verdict::review);
  EXPECT_EQ(run.totals.of(Reason::no_image), 5u);
  EXPECT_EQ(run.totals.of(Verdict::ok), 0u);
}

TEST(Pipeline, ScoresThatAreNoNumbersPassNothing) {
  Shift run(3, judge_that_says(kNaN, 0));
  run.go();
  EXPECT_EQ(run.totals.of(Reason::fault), 3u);
  EXPECT_EQ(run.totals.of(Verdict::review), 3u);
}

TEST(Pipeline, WhatIsLateIsCountedAndNeverTold) {
  Shift run(3, judge_that_says(5, 0));
  run.camera.slow = 30ms;
  run.options.deadline = 20ms;
  run.go();
  EXPECT_TRUE(run.plc.told.empty());
  EXPECT_EQ(run.totals.of(Reason::late), 3u);
  EXPECT_EQ(run.totals.of(Verdict::ok), 0u);
  EXPECT_EQ(run.totals.unanswered, 3u);
  EXPECT_EQ(run.kept.size(), 3u);
}

TEST(Pipeline, ATriggerThatWaitedIsGivenNoImageOfAnotherItem) {
  Shift run(6, judge_that_says(5, 0));
  run.plc.age = 60ms;  // as after SIGSTOP, or behind a camera that took long
  run.go();
  EXPECT_EQ(run.camera.taken, 0);
  EXPECT_EQ(run.totals.of(Reason::no_image), 6u);
  EXPECT_EQ(run.totals.of(Verdict::ok), 0u);
}

TEST(Pipeline, WhatThePlcDidNotTakeIsUnanswered) {
  Shift run(3, judge_that_says(5, 0));
  run.plc.deaf = true;
  run.go();
  EXPECT_EQ(run.totals.unanswered, 3u);
  for (const Record& record : run.kept) EXPECT_FALSE(record.stamps.answered);
}

TEST(Pipeline, ASecondModelIsAskedWhenTheFirstIsUnsure) {
  struct Case {
    float first, second;  ///< the score of good
    Verdict verdict;
    Reason reason;
    uint64_t asked;
  };
  // Above 1.39 the first is sure that it is good, below -1.39 that it is bad.
  for (const Case& c : {Case{5, -5, Verdict::ok, Reason::confident, 0},
                        Case{1, 5, Verdict::ok, Reason::confident, 4},
                        Case{-1, -5, Verdict::reject, Reason::confident, 4},
                        Case{1, -5, Verdict::review, Reason::disagreement, 4},
                        Case{-1, 5, Verdict::review, Reason::disagreement, 4},
                        Case{1, 1, Verdict::review, Reason::unsure, 4}}) {
    Shift run(4, judge_that_says(c.first, 0));
    run.second = judge_that_says(c.second, 0);
    run.go();
    EXPECT_EQ(run.totals.of(c.verdict), 4u) << c.first << " " << c.second;
    EXPECT_EQ(run.totals.of(c.reason), 4u) << c.first << " " << c.second;
    EXPECT_EQ(run.totals.asked_second, c.asked) << c.first << " " << c.second;
  }
}

TEST(Pipeline, MoreThanTheQueueHoldsAreLostAndDiverted) {
  Shift run(200, judge_that_says(5, 0));
  run.options.queue = 1;
  run.camera.side = 1000;  // to make it fit takes longer than to take it
  run.go();
  EXPECT_EQ(run.totals.items, 200u);
  EXPECT_GT(run.totals.of(Reason::lost), 0u) << "200 images at once";
  EXPECT_EQ(run.totals.of(Reason::lost) + run.totals.of(Verdict::ok), 200u);
  for (const auto& [id, answer] : run.plc.told) {
    (void)id;
    EXPECT_TRUE(answer.verdict == Verdict::ok || answer.verdict == Verdict::review);
  }
}

}  // namespace
}  // namespace edgeprune::station
