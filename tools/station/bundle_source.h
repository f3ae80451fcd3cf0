#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/station/bundle/bundle.h"
#include "tools/station/config/config.h"
#include "tools/station/pipeline/judge.h"

namespace edgeprune::station {

/// Where a station's models come from: one path, at which somebody puts a bundle in place of the one before (by renaming, so that it is
/// whole). Beside it lie BUNDLE.good, a copy of the last one that proved itself, and BUNDLE.refused, the counter of one
/// that did not: started again, the station runs the good one.
class BundleSource {
 public:
  struct Newcomer {
    std::shared_ptr<Judge> judge;
    int64_t counter = 0;
  };

  /// Throws FileError unless there is a bundle to run, this or else the good one: verified, of no lower counter than any before, with its golden logits on this
  /// CPU. `classes`: those of the policy.
  BundleSource(const ModelConfig& config, std::vector<std::string>& classes);

  std::shared_ptr<Judge> judge() const { return judge_; }  ///< that it began with
  const std::string& remark() const {
    return remark_;
  }  ///< why that is the good one; empty: it is not

  /// The bundle that has come since it was asked last, verified likewise, its counter higher. Throws FileError, once for each file,
  /// on one that is refused.
  std::optional<Newcomer> poll();
  /// The newest newcomer decides from now on: lower counters are refused.
  void activated(int64_t counter);
  void proved(int64_t counter);
  void failed(int64_t counter);

 private:
  struct Stamp {
    int64_t device = 0, inode = 0, nanoseconds = 0, bytes = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp stamp_of(const std::string& path);
  Bundle first();
  Bundle open(const std::string& path, int64_t accepted_counter) const;
  std::shared_ptr<Judge> judge_of(const Bundle& bundle) const;

  ModelConfig config_;
  std::vector<std::string> classes_;
  Stamp seen_;
  int64_t highest_ = 0, refused_ = 0;
  std::shared_ptr<Judge> judge_;
  std::string remark_;
};

}  // namespace edgeprune::station
