#include "tools/study/study_row.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "engine/inference/assignment.h"
#include "engine/nn/network.h"
#include "models/channel_groups.h"
#include "models/summary.h"
#include "tools/measurement/machine.h"
#include "tools/measurement/rounds.h"

namespace edgeprune {
namespace {

/// Of the network that a model was made from by removing channels; of itself if none were.
ModelSummary summarize_unpruned(const Graph& graph) {
  return summarize(nn::Network(unpruned(graph), 0));
}

/// What the model itself shows: accuracy, files, machine.
void describe_file(RunRecord& record, const Checkpoint& checkpoint, const std::string& path,
                   const Dataset& test, const Evaluation& evaluation) {
  record.accuracy = evaluation.accuracy;
  record.loss = evaluation.loss;
  record.test_images = evaluation.images;
  const Confusion& confusion = evaluation.confusion;
  record.worst_class.reset();
  if (const auto worst = confusion.worst()) {
    record.worst_class = ClassRecall{confusion.classes()[*worst], *confusion.recall(*worst)};
  }
  record.correct = correct_digits(evaluation.logits, test.labels);
  record.file_bytes = static_cast<int64_t>(std::filesystem::file_size(path));
  record.sparse_file_bytes = checkpoint_bytes(*checkpoint.model, checkpoint.info, Storage::sparse);
  record.sha256 = checkpoint.sha256;
  record.cpu = machine_description();
  record.build = build_description();
  record.commit = record.trained_commit = build_commit();
}

}  // namespace

RunRecord describe_model(const Checkpoint& checkpoint, const std::string& path, const Dataset& test,
                         const Evaluation& evaluation) {
  const nn::Network& model = *checkpoint.model;
  const ModelSummary now = summarize(model), before = summarize_unpruned(model.graph());
  RunRecord record;
  describe_file(record, checkpoint, path, test, evaluation);
  record.parameters = before.parameters;
  record.nonzero_parameters = now.nonzero_parameters;
  record.prunable = before.prunable;
  record.nonzero_prunable = now.nonzero_prunable;
  record.multiply_adds = before.multiply_adds;
  record.nonzero_multiply_adds = now.nonzero_multiply_adds;
  record.stored_parameters = now.parameters;
  for (size_t i = 0; i < now.layers.size(); ++i) {  // the same layers, however wide
    record.layers.push_back({now.layers[i].name, before.layers[i].parameters,
                             now.layers[i].nonzeros, before.layers[i].multiply_adds,
                             now.layers[i].nonzero_multiply_adds});
  }
  return record;
}

RunRecord describe_quantized(const RunRecord& parent, const Checkpoint& checkpoint,
                             const std::string& path, const Dataset& test,
                             const Evaluation& evaluation) {
  RunRecord record = parent;
  describe_file(record, checkpoint, path, test, evaluation);
  record.latency.clear();
  return record;
}

std::vector<inference::Engine> engines_for(const StudyPlan& plan, const inference::Graph& graph) {
  using inference::Engine;
  const auto runs = [&](Engine engine) { return inference::can_run(engine, graph); };
  const auto integer = [&](Engine engine) { return engine != Engine::automatic && runs(engine); };
  std::vector<Engine> engines;
  if (std::ranges::none_of(plan.engines, integer)) {
    std::ranges::copy_if(values_in(inference::kEngines), std::back_inserter(engines), integer);
  }
  std::ranges::copy_if(plan.engines, std::back_inserter(engines), runs);
  return engines;
}

std::vector<LatencyCell> measure_model(const std::shared_ptr<const inference::Graph>& model,
                                       const References& references, const StudyPlan& plan,
                                       int threads) {
  using inference::Engine;
  const bool beside_integers = model->integers != nullptr && references.integers != nullptr;
  std::vector<int> counts{1};
  if (threads > 1) counts.push_back(threads);
  std::vector<LatencyCell> cells;
  for (const int count : counts) {
    for (const int batch : plan.batches) {
      std::vector<LatencyCase> cases = {{references.unpruned, Engine::dense, batch, count, 0}};
      if (beside_integers) cases.push_back({references.integers, Engine::int8, batch, count, 0});
      const size_t own = cases.size();
      for (const auto engine : engines_for(plan, *model)) {
        cases.push_back({model, engine, batch, count, 0});
      }
      std::vector<LatencyResult> results = measure_latency(cases, plan.latency);
      for (size_t i = own; i < results.size(); ++i) {
        LatencyCell& cell = results[i].cell;
        if (beside_integers) cell.integer_factor = factor_of(results[1].rounds, results[i].rounds);
        cells.push_back(std::move(cell));
      }
    }
  }
  return cells;
}

}  // namespace edgeprune
