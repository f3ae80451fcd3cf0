#include "tools/study/study_row.h"

#include <filesystem>

#include "engine/nn/network.h"
#include "models/channel_groups.h"
#include "models/fold.h"
#include "models/summary.h"
#include "tools/measurement/machine.h"

namespace edgeprune {
namespace {

/// Of the network that a model was made from by removing channels; of itself if none were.
ModelSummary summarize_unpruned(const Graph& graph) {
  return summarize(nn::Network(unpruned(graph), 0));
}

}  // namespace

RunRecord describe_model(const Checkpoint& checkpoint, const std::string& path, const Dataset& test,
                         const Evaluation& evaluation) {
  const nn::Network& model = *checkpoint.model;
  const ModelSummary now = summarize(model), before = summarize_unpruned(model.graph());
  RunRecord record;
  record.accuracy = evaluation.accuracy;
  record.loss = evaluation.loss;
  record.test_images = evaluation.images;
  const Confusion& confusion = evaluation.confusion;
  if (const auto worst = confusion.worst()) {
    record.worst_class = ClassRecall{confusion.classes()[*worst], *confusion.recall(*worst)};
  }
  record.correct = correct_digits(evaluation.logits, test.labels);
  record.parameters = before.parameters;
  record.nonzero_parameters = now.nonzero_parameters;
  record.prunable = before.prunable;
  record.nonzero_prunable = now.nonzero_prunable;
  record.multiply_adds = before.multiply_adds;
  record.nonzero_multiply_adds = now.nonzero_multiply_adds;
  record.stored_parameters = now.parameters;
  record.file_bytes = static_cast<int64_t>(std::filesystem::file_size(path));
  record.sparse_file_bytes = checkpoint_bytes(model, checkpoint.info, Storage::sparse);
  for (size_t i = 0; i < now.layers.size(); ++i) {  // the same layers, however wide
    record.layers.push_back({now.layers[i].name, before.layers[i].parameters,
                             now.layers[i].nonzeros, before.layers[i].multiply_adds,
                             now.layers[i].nonzero_multiply_adds});
  }
  record.sha256 = checkpoint.sha256;
  record.cpu = machine_description();
  record.build = build_description();
  record.commit = record.trained_commit = build_commit();
  return record;
}

std::vector<LatencyCell> measure_model(const nn::Network& model, const nn::Network& unpruned,
                                       const StudyPlan& plan, int threads) {
  const auto graph_of = [](const nn::Network& network) {
    return std::make_shared<const inference::Graph>(fold_batch_norm(network));
  };
  const auto own = graph_of(model), reference = graph_of(unpruned);
  std::vector<int> counts{1};
  if (threads > 1) counts.push_back(threads);
  std::vector<LatencyCell> cells;
  for (const int count : counts) {
    for (const int batch : plan.batches) {
      std::vector<LatencyCase> cases = {{reference, inference::Engine::dense, batch, count, 0}};
      for (const auto engine : plan.engines) cases.push_back({own, engine, batch, count, 0});
      const std::vector<LatencyResult> results = measure_latency(cases, plan.latency);
      for (size_t i = 1; i < results.size(); ++i) cells.push_back(results[i].cell);
    }
  }
  return cells;
}

}  // namespace edgeprune
