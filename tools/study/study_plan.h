#pragma once
// What a study is to do: experiments as a plan file lists them (tools/study/plan_file.h), and
// the steps of training they come to.

#include <optional>
#include <string>
#include <vector>

#include "models/calibration/calibrate.h"
#include "models/networks.h"
#include "pruning/prune.h"
#include "pruning/schedule.h"
#include "tools/measurement/latency.h"
#include "tools/training/recovery.h"
#include "tools/training/score_samples.h"
#include "tools/training/trainer.h"

namespace edgeprune {

/// How a row's finished network becomes one of 8-bit integers: a row of its own.
enum class Quantizing { ptq, qat };
inline constexpr Named<Quantizing> kQuantizings[] = {
    {Quantizing::ptq, "ptq", "after training, by the ranges that training images show"},
    {Quantizing::qat, "qat", "by training on with rounded numbers"}};
static_assert(in_order(kQuantizings));

/// A heuristic on a schedule to one target or several; a row a target.
struct Experiment {
  Method method = Method::magnitude;
  PruneMode mode = PruneMode::mask;
  PruningSchedule schedule = PruningSchedule::one_shot;
  std::vector<double> targets;  ///< fractions, as --sparsity
  int64_t epochs = 0;           ///< of fine-tuning behind each step of the schedule
  ScheduleOptions options;
  PruneLimits limits;
  GroupLimits groups;
  Recovery recovery;                      ///< the teacher is the study's own baseline
  int64_t score_images = kScoreImages;    ///< for methods that measure their scores
  std::vector<Quantizing> quantize = {};  ///< each makes a row more of every target
  std::string label;  ///< goes into the rows' names, where nothing else tells experiments apart
};

struct StudyPlan {
  std::string name, description;
  std::string as_given;  ///< name or file by which load_plan() found it
  /// Of models/networks.h; weights of another one are refused. Empty: the weights'; MobileNetV2 for
  /// random ones, and where limits are looked at before there are weights.
  std::string network;
  int64_t baseline_epochs = 15;
  TrainOptions training;        ///< of every training; epochs and seed come from the step
  int64_t train_images = 0;     ///< a balanced part of the training set; 0: all
  int64_t finetune_images = 0;  ///< likewise, behind pruning
  int64_t validation_images =
      0;  ///< held out from all training, to choose the best epoch; 0: the last
  int64_t test_images = 0;
  std::vector<inference::Engine> engines{inference::Engine::dense, inference::Engine::sparse,
                                         inference::Engine::automatic};
  std::vector<int> batches{1, 64};  ///< of the latency measurement
  LatencyOptions latency;
  int64_t calibration_images = 512;  ///< of the fine-tuning's, of which quantisation takes ranges
  CalibrationOptions calibration;
  int64_t qat_epochs = 2;           ///< of training for integers; all but the rate as `training`
  float qat_learning_rate = 1e-5f;  ///< as train --qat
  std::vector<Experiment> experiments;  ///< in the order of work
};

/// Whether any experiment's rows are quantised; the baseline then is, too.
bool quantizes(const StudyPlan& plan);

/// One model of a study and how it comes to be.
struct StudyStep {
  std::string id;      ///< "magnitude-exact-30.seed1": names its checkpoint and its row
  std::string name;    ///< the id without the seed
  std::string parent;  ///< id of the model it starts from; empty: the pretrained weights
  std::optional<PruneRequest> prune;                     ///< none: the baseline
  PruningSchedule schedule = PruningSchedule::one_shot;  ///< that the pruning is part of
  double target = 0;   ///< what a row is called after; compounding ends elsewhere
  int64_t epochs = 0;  ///< of training behind the pruning
  Recovery recovery;
  int64_t score_images = kScoreImages;
  uint64_t seed = 0;
  bool row = true;  ///< false: only a stage on the way to another
  /// The parent's network in integers; `prune` and all that goes with it is the parent's.
  std::optional<Quantizing> quantize = {};

  bool is_baseline() const { return !prune && !quantize; }
};

/// The baseline and all that the experiments want, parents before children. Trajectories that begin
/// alike share their beginning: it is trained once, and a row on the way to another is read off it.
/// All is repeated for every seed, one after the other; the first seed's ids are the names, the
/// others' end in ".seed1". Throws std::invalid_argument, naming the experiment, if two rows have
/// one name or are one model, there are more than 1,024 steps, or there are no seeds or one is
/// there twice.
std::vector<StudyStep> study_steps(const StudyPlan& plan, const std::vector<uint64_t>& seeds = {0});

/// The plan's network as it is looked at before there are weights: at full width, 64x64.
NetworkSpec spec_of_plan(const StudyPlan& plan);

/// Throws std::invalid_argument on what experiments and training ask for and cannot have together.
void require_consistent(const StudyPlan& plan);

/// Prunes the plan's network with random weights by every step that has limits (PruneLimits,
/// GroupLimits), so that what they make impossible is known before the baseline is trained. Throws
/// std::invalid_argument naming the step.
void require_feasible(const StudyPlan& plan);

/// What a pruning leaves alone, by the names of the options: "keep classifier.1, min-density 0.25";
/// empty: nothing.
std::string limits_text(const PruneRequest& request);

/// What decides the model that a step makes from its parent's: for comparing steps, and studies.
nlohmann::json identity_of(const StudyStep& step);

}  // namespace edgeprune
