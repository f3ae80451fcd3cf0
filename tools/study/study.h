#pragma once
// The study: runs the steps of a plan, each of which trains or prunes and fine-tunes one model, and
// measures those that are rows.

#include <functional>
#include <string>
#include <vector>

#include "models/resize.h"
#include "tools/study/study_plan.h"

namespace edgeprune {

struct StudyOptions {
  std::string data;  ///< what open_dataset() takes
  bool skip_bad_images = false;
  Resize resize = Resize::squash;
  std::string weights;  ///< .pth, .safetensors, or "random"
  std::string folder;
  double width = 0;        ///< of the network; 0: the weights'
  int64_t input_size = 0;  ///< likewise
  bool resume = false;
  bool strict = false;  ///< stop where a model's accuracy says nothing (Evaluation::warning)
  int threads = 1;
  /// All is repeated for each. The first one also chooses the parts of the data, for all.
  std::vector<uint64_t> seeds{0};
};

/// Runs what is not finished yet, in the folder that study_folder.h describes. A study killed at
/// any moment goes on where it was and repeats no row; with further seeds behind the ones it had,
/// too. `say` receives a line about each step. Throws std::invalid_argument if the folder holds a
/// study and `resume` is false, or a study of other settings, data or weights; FileError if another
/// process is at work in it; what training and measuring throw; Interrupted.
void run_study(const StudyPlan& plan, const StudyOptions& options,
               const std::function<void(const std::string&)>& say);

/// Measures the latency of all finished rows anew, each in turns with its seed's unpruned network,
/// and rewrites runs.jsonl once that is complete. Throws std::invalid_argument if the folder holds
/// no rows, or a study of another plan name or latency settings; else as run_study().
void remeasure_study(const StudyPlan& plan, const StudyOptions& options,
                     const std::function<void(const std::string&)>& say);

}  // namespace edgeprune
