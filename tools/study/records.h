#pragma once
// One finished run of a study: a line of runs.jsonl, from which every table and plot is drawn.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/measurement/latency_cell.h"

namespace edgeprune {

/// One epoch of training on the way to a row.
struct CurvePoint {
  int64_t epoch = 0;    ///< from 1, over all training behind the parent row or the baseline
  double loss = 0;      ///< mean over the training batches
  double accuracy = 0;  ///< on them; fraction
};

/// A prunable layer of the finished network.
struct LayerCount {
  std::string name;                   ///< "features.1.conv.0.0"
  int64_t parameters = 0;             ///< of its weight, before anything was pruned
  int64_t nonzeros = 0;               ///< of its weight
  int64_t multiply_adds = 0;          ///< an image, before anything was pruned
  int64_t nonzero_multiply_adds = 0;  ///< an image, zeros skipped
};

/// Of the test images of a class, the share that is called so.
struct ClassRecall {
  std::string name;   ///< of the class
  double recall = 0;  ///< fraction
};

/// A row of a study's results: a heuristic on a schedule to a target, and what came of it.
struct RunRecord {
  std::string id;        ///< unique within a study: "baseline", "magnitude-one-shot-50.seed1"
  std::string row;       ///< the same for all seeds: "magnitude-one-shot-50"
  std::string method;    ///< "none", "magnitude", "lamp", "channel" ...: kMethods
  std::string mode;      ///< "none", "mask", "group-mask", "compact"
  std::string schedule;  ///< "none", "one-shot", "exact", "compounding", "cubic"
  std::string recovery;  ///< what else helps accuracy, "bn-recalibrate 1000, rewind"; or nothing
  std::string
      quantization;    ///< "ptq", "qat": in 8-bit integers, by kQuantizings; or nothing: floats
  std::string limits;  ///< what pruning left alone, "min-density 0.25"; or nothing
  double target = 0;   ///< the fraction asked for
  uint64_t seed = 0;

  // On the test set; accuracies are fractions, not percent.
  double accuracy_before = 0;  ///< after pruning, before fine-tuning
  double accuracy = 0;
  double loss = 0;  ///< mean cross-entropy
  int64_t test_images = 0;
  std::optional<ClassRecall> worst_class;  ///< of least recall; records of before 0.2.0 have none

  /// Which test images the network has right: images 4i to 4i+3 are the bits of hexadecimal digit
  /// i, the first image its highest bit.
  std::string correct;

  // Denominators are the network's before anything was pruned, also where channels were removed.
  int64_t parameters = 0, nonzero_parameters = 0;  ///< all of them
  int64_t prunable = 0, nonzero_prunable = 0;      ///< Conv2d and Linear weights
  int64_t multiply_adds = 0;                       ///< an image, dense
  int64_t nonzero_multiply_adds = 0;               ///< an image, zeros skipped
  int64_t stored_parameters = 0;  ///< all of the model as it is: fewer once channels are removed
  int64_t file_bytes = 0;         ///< of the checkpoint
  int64_t sparse_file_bytes = 0;  ///< of the checkpoint stored sparse (models/sparse_storage.h)

  int epochs = 0;            ///< of the last training
  double train_seconds = 0;  ///< of the last training
  int epochs_spent = 0;      ///< behind the baseline (the baseline's own), over all steps to here
  double seconds_spent = 0;  ///< likewise
  std::vector<CurvePoint> curve;   ///< of those epochs
  std::vector<LayerCount> layers;  ///< in the order they run
  std::string checkpoint;          ///< file name inside the study's folder
  std::string sha256;              ///< of the checkpoint
  std::string parent_sha256;

  std::string cpu, build, commit;  ///< the machine and the binary that took the times below
  std::string trained_commit;      ///< of the binary that trained
  std::vector<LatencyCell> latency;

  /// 1 - nonzero / total, over all parameters (as in the original study, the
  /// published one that this project follows).
  double sparsity() const;
  bool is_quantized() const { return !quantization.empty(); }
  double prunable_sparsity() const;
  /// The share of multiply-adds that zeros remove.
  double multiply_adds_removed() const;
};

void to_json(nlohmann::json& json, const CurvePoint& point);
void to_json(nlohmann::json& json, const LayerCount& layer);
void to_json(nlohmann::json& json, const ClassRecall& recall);
void to_json(nlohmann::json& json, const RunRecord& record);
/// Throw nlohmann::json::exception if a field is missing or of another type. Surplus fields are
/// ignored.
void from_json(const nlohmann::json& json, CurvePoint& point);
void from_json(const nlohmann::json& json, LayerCount& layer);
void from_json(const nlohmann::json& json, ClassRecall& recall);
void from_json(const nlohmann::json& json, RunRecord& record);

/// All rows of a runs.jsonl, in file order. A line that breaks off inside its record (a crash) is
/// left out, also in the middle: a resumed study goes on behind it. Throws FileError on a missing
/// file, or on any other line that is no record (naming its number).
std::vector<RunRecord> read_records(const std::string& path);
/// Appends one line, fsynced; what read_records() gives back equals `record` bit for bit.
/// Throws std::invalid_argument on a value that JSON cannot hold (NaN, infinity, text that is not
/// UTF-8).
void append_record(const std::string& path, const RunRecord& record);
/// Replaces the file by these rows, atomically.
void write_records(const std::string& path, const std::vector<RunRecord>& records);

}  // namespace edgeprune
