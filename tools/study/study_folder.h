#pragma once
// What a study keeps on disk:
//   study.json     what the study is
//   models/        <id>.safetensors and .json (how it was trained) of every step that is done,
//                  <id>.safetensors.state of the one that is not
//   runs.jsonl     a line a finished row
//   lock           held while a study is at work

#include <set>
#include <string>
#include <vector>

#include "engine/base/file_lock.h"
#include "engine/base/json.h"
#include "tools/study/records.h"

namespace edgeprune {

/// How a step's model came to be.
struct StepTraining {
  double accuracy_before = 0;  ///< as RunRecord's
  int64_t epochs = 0;
  double seconds = 0;
  int epochs_spent = 0;           ///< on the way from the baseline, over all steps
  double seconds_spent = 0;       ///< likewise
  std::vector<CurvePoint> curve;  ///< likewise
  std::string parent_sha256;
};

class StudyFolder {
 public:
  /// Makes the folder if there is none, locks it, and removes the temporary files that a kill left.
  /// Throws FileError, also if another process is at work in it.
  explicit StudyFolder(const std::string& path);

  /// Writes down what the study is, an object of one entry a setting, and `about` (about.h), which a
  /// study that goes on keeps as it was begun. Throws std::invalid_argument
  /// naming the setting that differs if another study lives here, or if any does and `resume` is
  /// false; FileError if study.json is damaged.
  void claim(const nlohmann::json& study, bool resume, const nlohmann::json& about = {});
  /// Throws std::invalid_argument unless a study lives here of which so much is true; a setting that
  /// it does not have counts as empty.
  void require_study(const nlohmann::json& part) const;

  std::string model_path(const std::string& id) const;
  std::string state_path(const std::string& id) const;
  std::string runs_path() const;

  /// Whether a step's model is done. Its training's state then goes, which a kill may have left.
  bool has_model(const std::string& id) const;
  void save_training(const std::string& id, const StepTraining& training);
  /// Throws FileError if it is missing or damaged.
  StepTraining load_training(const std::string& id) const;
  /// The finished rows.
  std::vector<RunRecord> records() const;

 private:
  std::string training_path(const std::string& id) const;

  std::string path_;
  FileLock lock_;
};

}  // namespace edgeprune
