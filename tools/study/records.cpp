#include "tools/study/records.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"

namespace edgeprune {
// The one list of fields of each. Only this file knows it: headers would have to include all of
// nlohmann's library for the macro.
namespace fields {
namespace {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CurvePoint, epoch, loss, accuracy)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LayerCount, name, parameters, nonzeros, multiply_adds,
                                   nonzero_multiply_adds)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ClassRecall, name, recall)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RunRecord, id, row, method, mode, recovery, schedule, target,
                                   seed, accuracy_before, accuracy, loss, test_images, correct,
                                   parameters, nonzero_parameters, prunable, nonzero_prunable,
                                   multiply_adds, nonzero_multiply_adds, stored_parameters,
                                   file_bytes, sparse_file_bytes, epochs, train_seconds,
                                   epochs_spent, seconds_spent, curve, layers, checkpoint, sha256,
                                   parent_sha256, cpu, build, commit, trained_commit, latency)
}  // namespace
}  // namespace fields

namespace {

double share_of_zeros(int64_t nonzero, int64_t total) {
  return total > 0 ? 1 - static_cast<double>(nonzero) / static_cast<double>(total) : 0;
}

/// Nothing if the line is the beginning of a record, left by a crash: append_line() closes such a
/// line off and goes on.
std::optional<RunRecord> parse_record(std::string_view line, const std::string& source) {
  try {
    return parse_json(line, source).get<RunRecord>();
  } catch (const TruncatedJson&) {
    if (line.front() != '{') throw;
    return std::nullopt;
  } catch (const nlohmann::json::exception& error) {
    throw FileError(fmt::format("{}: {}", source, error.what()));
  }
}

std::string to_line(const RunRecord& record) {
  std::string line;
  try {
    line = nlohmann::json(record).dump();
    // A line that cannot be read back (JSON has no NaN) would spoil the whole file.
    parse_json(line, record.id).get<RunRecord>();
  } catch (const nlohmann::json::exception& error) {
    require(false, "append_record", "run {} has a value that JSON cannot hold: {}", record.id,
            error.what());
  }
  return line;
}

}  // namespace

double RunRecord::sparsity() const {
  return share_of_zeros(nonzero_parameters, parameters);
}

double RunRecord::prunable_sparsity() const {
  return share_of_zeros(nonzero_prunable, prunable);
}

double RunRecord::multiply_adds_removed() const {
  return share_of_zeros(nonzero_multiply_adds, multiply_adds);
}

void to_json(nlohmann::json& json, const CurvePoint& point) {
  fields::to_json(json, point);
}

void from_json(const nlohmann::json& json, CurvePoint& point) {
  fields::from_json(json, point);
}

void to_json(nlohmann::json& json, const LayerCount& layer) {
  fields::to_json(json, layer);
}

void from_json(const nlohmann::json& json, LayerCount& layer) {
  fields::from_json(json, layer);
}

void to_json(nlohmann::json& json, const ClassRecall& recall) {
  fields::to_json(json, recall);
}

void from_json(const nlohmann::json& json, ClassRecall& recall) {
  fields::from_json(json, recall);
}

void to_json(nlohmann::json& json, const RunRecord& record) {
  fields::to_json(json, record);
  if (record.worst_class) json["worst_class"] = *record.worst_class;
  if (!record.limits.empty()) json["limits"] = record.limits;
  if (record.is_quantized()) json["quantization"] = record.quantization;
}

void from_json(const nlohmann::json& json, RunRecord& record) {
  fields::from_json(json, record);
  record.limits = json.value("limits", "");
  record.quantization = json.value("quantization", "");
  record.worst_class.reset();
  if (json.contains("worst_class")) record.worst_class = json["worst_class"].get<ClassRecall>();
}

std::vector<RunRecord> read_records(const std::string& path) {
  const std::vector<char> content = read_file(path);
  std::string_view rest(content.data(), content.size());
  std::vector<RunRecord> records;
  for (int number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string source = fmt::format("{}: line {} is no record of a run", path, number);
    if (auto record = parse_record(line, source)) records.push_back(std::move(*record));
  }
  return records;
}

void append_record(const std::string& path, const RunRecord& record) {
  append_line(path, to_line(record));
}

void write_records(const std::string& path, const std::vector<RunRecord>& records) {
  std::string text;
  for (const RunRecord& record : records) text += to_line(record) + "\n";
  write_file_atomically(path, text);
}

}  // namespace edgeprune
