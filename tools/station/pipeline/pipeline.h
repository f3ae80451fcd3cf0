#pragma once
// The path of an item: trigger, camera, queue, network, decision, PLC.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "tools/station/camera/camera.h"
#include "tools/station/pipeline/judge.h"
#include "tools/station/pipeline/totals.h"
#include "tools/station/plc/plc.h"

namespace edgeprune::station {

struct PipelineOptions {
  std::chrono::nanoseconds deadline;  ///< from the trigger until the PLC must have the verdict
  /// A trigger that is older when the camera can take its image is given none: the image would be of another place on the belt.
  std::chrono::nanoseconds longest_wait = std::chrono::milliseconds(50);
  size_t queue = 4;  ///< images that may wait for the network; another one's item is lost
};

/// Called once for every item when all is known about it, from a thread of the PLC's or the pipeline's own: must return
/// at once. `image` is null if there was none.
using Keep = std::function<void(Record record, std::shared_ptr<const Image> image)>;

/// Two threads: the caller's, which hears triggers and takes images, and one for the network. What is decided after
/// its deadline is counted and never told: the PLC has diverted the item by then, and the next one in front of
/// it is another.
class Pipeline {
 public:
  Pipeline(Camera& camera, Plc& plc, std::shared_ptr<Judge> judge, const PipelineOptions& options,
           Keep keep);
  ~Pipeline();

  /// Asked when the first is unsure and the deadline leaves as much time as it ever took; null: nobody is. If both
  /// are sure of different classes, a person decides.
  void set_second(std::shared_ptr<Judge> second);
  /// Another network from the next item on.
  void set_judge(std::shared_ptr<Judge> judge);

  /// Until `stop()`, which is asked between items and while none comes. Items that are being judged then are
  /// finished.
  void run(const std::function<bool()>& stop);

  Totals totals() const;
  State state() const;
  size_t waiting() const;  ///< images in the queue

 private:
  struct Item {
    Record record;
    Instant deadline;
    std::shared_ptr<const Image> image;
  };

  void set_state(State state);
  void take_item(const Trigger& trigger);
  void judge_items(const std::stop_token& stop);
  void judge_item(Item& item);
  void ask_second(Item& item, Judge& second);
  void finish(Item item);
  void count(const Record& record);

  Camera& camera_;
  Plc& plc_;
  const PipelineOptions options_;
  const Keep keep_;

  mutable std::mutex mutex_;  ///< of all below
  std::condition_variable_any changed_;
  std::shared_ptr<Judge> judge_, second_;
  std::chrono::nanoseconds second_takes_{0};  ///< the longest that the second model ever took
  std::deque<Item> queue_;
  bool judging_ = false;
  State state_ = State::ready;
  uint64_t unconfirmed_ = 0;  ///< answers that the PLC has neither confirmed nor dropped
  Totals totals_;
  std::jthread judges_;  ///< last: it uses all of the above
};

}  // namespace edgeprune::station
