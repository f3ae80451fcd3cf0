#include "tools/station/pipeline/pipeline.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

/// How long a trigger is waited for until `stop` is asked again.
constexpr auto kListen = 100ms;
/// How long answers that are on their way are waited for in the end.
constexpr auto kFarewell = 500ms;

int64_t utc_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace

Pipeline::Pipeline(Camera& camera, Plc& plc, std::shared_ptr<Judge> judge,
                   const PipelineOptions& options, Keep keep)
    : camera_(camera),
      plc_(plc),
      options_(options),
      keep_(std::move(keep)),
      judge_(std::move(judge)),
      judges_([this](const std::stop_token& stop) { judge_items(stop); }) {}

Pipeline::~Pipeline() {
  judges_.request_stop();
  judges_.join();
  // The PLC's thread calls back for what was answered.
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return unconfirmed_ == 0; });
}

void Pipeline::set_second(std::shared_ptr<Judge> second) {
  const std::scoped_lock lock(mutex_);
  second_ = std::move(second);
  second_takes_ = 0ns;
}

void Pipeline::set_judge(std::shared_ptr<Judge> judge) {
  const std::scoped_lock lock(mutex_);
  judge_ = std::move(judge);
}

void Pipeline::run(const std::function<bool()>& stop) {
  while (!stop()) {
    set_state(camera_.connected() ? State::executing : State::error);
    if (const auto trigger = plc_.next(Clock::now() + kListen)) take_item(*trigger);
  }
  set_state(State::halted);
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, options_.deadline + kFarewell,
                    [&] { return queue_.empty() && !judging_ && unconfirmed_ == 0; });
}

void Pipeline::take_item(const Trigger& trigger) {
  Item item;
  item.record.id = trigger.id;
  item.record.stamps.trigger = trigger.seen;
  item.deadline = trigger.seen + options_.deadline;
  // The process may have been stopped in between, or the image before took long.
  std::optional<Frame> frame;
  if (Clock::now() - trigger.seen <= options_.longest_wait) frame = camera_.take(item.deadline);
  if (!frame) {
    item.record.decision = {Verdict::review, Reason::no_image, -1, 0};
    finish(std::move(item));
    return;
  }
  item.record.stamps.captured = frame->captured;
  item.image = std::make_shared<const Image>(std::move(frame->image));
  std::unique_lock lock(mutex_);
  if (queue_.size() >= options_.queue) {
    lock.unlock();
    item.record.decision = {Verdict::review, Reason::lost, -1, 0};
    finish(std::move(item));
    return;
  }
  queue_.push_back(std::move(item));
  changed_.notify_all();
}

void Pipeline::judge_items(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return !queue_.empty(); })) {
    Item item = std::move(queue_.front());
    queue_.pop_front();
    judging_ = true;
    lock.unlock();
    try {
      judge_item(item);
    } catch (const std::exception&) {  // no memory, say: this item is not judged, the next may be
      item.record.decision = {Verdict::review, Reason::fault, -1, 0};
    }
    finish(std::move(item));
    lock.lock();
    judging_ = false;
    changed_.notify_all();
  }
}

void Pipeline::judge_item(Item& item) {
  std::shared_ptr<Judge> first, second;
  std::chrono::nanoseconds second_takes;
  {
    const std::scoped_lock lock(mutex_);
    first = judge_;
    second = second_;
    second_takes = second_takes_;
  }
  Record& record = item.record;
  const Instant begun = Clock::now();
  if (begun >= item.deadline) {
    record.decision = {Verdict::review, Reason::late, -1, 0};
    return;
  }
  Judgement judgement = (*first)(*item.image);
  record.stamps.queued = begun;
  record.stamps.preprocessed = judgement.preprocessed;
  record.stamps.inferred = judgement.inferred;
  record.decision = judgement.decision;
  record.probabilities = std::move(judgement.probabilities);
  record.model = first->model();
  record.policy = first->policy().hash;
  if (second && record.decision.reason == Reason::unsure &&
      Clock::now() + second_takes < item.deadline) {
    ask_second(item, *second);
  }
}

void Pipeline::ask_second(Item& item, Judge& second) {
  const Instant begun = Clock::now();
  Judgement opinion = second(*item.image);
  {
    const std::scoped_lock lock(mutex_);
    second_takes_ = std::max(second_takes_, Clock::now() - begun);
    ++totals_.asked_second;
  }
  Record& record = item.record;
  if (opinion.decision.reason != Reason::confident) return;
  if (opinion.decision.label != record.decision.label) {
    record.decision.reason = Reason::disagreement;
    return;
  }
  record.decision = opinion.decision;
  record.probabilities = std::move(opinion.probabilities);
  record.model = second.model();
  record.policy = second.policy().hash;
}

void Pipeline::finish(Item item) {
  Record& record = item.record;
  const Instant now = Clock::now();
  record.stamps.decided = now;
  record.utc_ns = utc_now();
  if (now >= item.deadline && record.decision.reason != Reason::no_image &&
      record.decision.reason != Reason::lost) {
    record.decision.verdict = Verdict::review;
    record.decision.reason = Reason::late;
  }
  const auto done = std::make_shared<Item>(std::move(item));
  const auto confirmed = [this, done](std::optional<Instant> when) {
    done->record.stamps.answered = when;
    count(done->record);
    keep_(std::move(done->record), std::move(done->image));
    const std::scoped_lock lock(mutex_);
    --unconfirmed_;
    changed_.notify_all();
  };
  {
    const std::scoped_lock lock(mutex_);
    ++unconfirmed_;
  }
  plc_.answer({done->record.id, done->record.decision.verdict, done->record.decision.confidence,
               done->deadline},
              confirmed);
}

void Pipeline::count(const Record& record) {
  const std::scoped_lock lock(mutex_);
  ++totals_.items;
  ++totals_.verdicts[static_cast<size_t>(record.decision.verdict)];
  ++totals_.reasons[static_cast<size_t>(record.decision.reason)];
  const Stamps& at = record.stamps;
  const auto add = [&](Stage stage, const std::optional<Instant>& from,
                       const std::optional<Instant>& to) {
    if (from && to) totals_.stages[static_cast<size_t>(stage)].add(*to - *from);
  };
  add(Stage::capture, at.trigger, at.captured);
  add(Stage::queue, at.captured, at.queued);
  add(Stage::preprocessing, at.queued, at.preprocessed);
  add(Stage::inference, at.preprocessed, at.inferred);
  add(Stage::decision, at.inferred, at.decided);
  add(Stage::answer, at.decided, at.answered);
  add(Stage::whole, at.trigger, at.answered);
  if (!at.answered) ++totals_.unanswered;
}

void Pipeline::set_state(State now) {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(state_, now) == now) return;
  }
  plc_.set_state(now);
}

State Pipeline::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

size_t Pipeline::waiting() const {
  const std::scoped_lock lock(mutex_);
  return queue_.size();
}

Totals Pipeline::totals() const {
  const std::scoped_lock lock(mutex_);
  return totals_;
}

}  // namespace edgeprune::station
