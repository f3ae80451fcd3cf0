#pragma once
// A study's rows as its tables, pictures and conclusions see them: the seeds of a row together.

#include <optional>
#include <string>
#include <vector>

#include "tools/study/about.h"
#include "tools/study/records.h"

namespace edgeprune {

/// Values of several seeds: their mean, the least and the greatest.
struct Spread {
  double mean = 0, low = 0, high = 0;
  size_t seeds = 0;
};

/// From what p-value on a difference counts as found.
inline constexpr double kSignificant = 0.05;

/// Two rows' accuracies on the same test images.
struct Comparison {
  double difference = 0;  ///< the first's less the second's; fraction, mean over the first's seeds
  /// McNemar's exact test. Of several seeds the largest p-value, and 1 if they disagree about who
  /// is better: a difference has to show in each. Nothing if it is not on record which images are
  /// right, or not the same images were used.
  std::optional<double> p;

  bool better() const { return difference > 0 && p && *p < kSignificant; }
  bool worse() const { return difference < 0 && p && *p < kSignificant; }
};

class Results {
 public:
  /// `about`: what the study is, if that is on record.
  explicit Results(std::vector<RunRecord> runs, std::optional<StudyAbout> about = {});

  const std::optional<StudyAbout>& about() const { return about_; }
  /// Whether the original study's figures and conclusions belong beside these rows: they are of
  /// CIFAR-10, as its were. So are studies of earlier versions taken to be, which do not tell.
  bool follows_original() const { return !about_ || about_->cifar10; }
  /// Whether the training compares with the original study's (kComparableRule in conclusions.h).
  bool comparable() const;
  /// Half the width of the 95 % confidence interval of the baseline's accuracy (Wilson 1927) over
  /// the test images; 0 without a baseline.
  double resolution() const;

  /// One a row, in order of appearance; its id is the row's name. What differs between seeds is
  /// their mean (sizes and layers, which hardly do, and the curve are the first seed's).
  const std::vector<RunRecord>& rows() const { return rows_; }
  /// One a row and seed.
  const std::vector<RunRecord>& runs() const { return runs_; }
  /// The unpruned row (method "none"); null if there is none.
  const RunRecord* baseline() const;
  /// The row in floats without recovery or limits that was asked for `target`; null if there is none.
  const RunRecord* find(const std::string& method, const std::string& mode,
                        const std::string& schedule, double target) const;
  /// The row in floats that a quantised row was made from; null for others, or if it is not there.
  const RunRecord* in_floats(const RunRecord& row) const;
  /// Has any row been quantised?
  bool has_quantized() const;
  /// Of a row of rows().
  Spread accuracy(const RunRecord& row) const;
  /// Has any row several seeds?
  bool has_seeds() const { return runs_.size() > rows_.size(); }
  /// Of two rows of rows(). Runs of equal seed are compared, or the second's first if it lacks the
  /// seed. Throws std::invalid_argument if what is on record as right cannot be read.
  Comparison compare(const RunRecord& row, const RunRecord& other) const;

 private:
  std::vector<const RunRecord*> runs_of(const RunRecord& row) const;

  std::vector<RunRecord> runs_, rows_;
  std::optional<StudyAbout> about_;
};

}  // namespace edgeprune
