#pragma once
// The study: a list of runs, each of which trains or prunes and fine-tunes one model, then measures
// it.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/experiment/latency.h"
#include "tools/experiment/trainer.h"

namespace edgeprune {

/// One model of a study and how it comes to be.
struct StudyStep {
  std::string id;                 ///< "magnitude-exact-30": names its checkpoint and its row
  std::string parent;             ///< id of the model it starts from; empty: the pretrained weights
  std::optional<Method> method;   ///< none: the baseline
  std::string schedule = "none";  ///< "one-shot", "exact"
  double target = 0;              ///< sparsity after this step, of the original count
  int64_t epochs = 0;             ///< of training behind the pruning
  bool row = true;                ///< false: only a stage on the way to another
};

struct StudyPlan {
  std::string name;
  std::vector<StudyStep> steps;  ///< parents before children
  int64_t train_images = 0;      ///< a balanced part of the training set; 0: all
  int64_t finetune_images = 0;   ///< likewise, behind pruning
  int64_t test_images = 0;
  std::vector<int> batches{1, 64};  ///< of the latency measurement
  LatencyOptions latency;
};

/// protocol.md's grid: baseline 15 epochs; one-shot to 30, 50, 70 % with 5 epochs; iterative exact
/// in steps of 10 % to 70 % with 2 epochs each; both heuristics.
StudyPlan document_plan();
/// The same in minutes: parts of the data, an epoch a step, fewer steps.
StudyPlan quick_plan();

struct StudyOptions {
  std::string data;     ///< what open_dataset() takes
  std::string weights;  ///< .pth, .safetensors, or "random"
  std::string folder;
  bool resume = false;
  int threads = 1;
  TrainOptions training;  ///< epochs come from the plan
};

/// Runs what is not finished yet. In `folder`: study.json (what the study is),
/// models/<id>.safetensors (and .seconds: the training time), runs.jsonl (a line a finished row). A
/// study killed at any moment goes on where it was and repeats no row. `say` receives a line about
/// each step. Throws std::invalid_argument if the folder holds a study and `resume` is false, or a
/// study of other settings, data or weights; what training and measuring throw; Interrupted.
void run_study(const StudyPlan& plan, const StudyOptions& options,
               const std::function<void(const std::string&)>& say);

}  // namespace edgeprune
