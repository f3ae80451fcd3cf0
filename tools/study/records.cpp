#include "tools/study/records.h"

#include <algorithm>
#include <concepts>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "engine/base/check.h"
#include "engine/base/file.h"

namespace edgeprune {
namespace {

// The one list of fields of each, for writing (const) and reading.
template <typename Point, typename Visit>
requires std::same_as<std::remove_const_t<Point>, CurvePoint>
void visit_fields(Point& point, const Visit& visit) {
  visit("epoch", point.epoch);
  visit("loss", point.loss);
  visit("accuracy", point.accuracy);
}

template <typename Layer, typename Visit>
requires std::same_as<std::remove_const_t<Layer>, LayerCount>
void visit_fields(Layer& layer, const Visit& visit) {
  visit("name", layer.name);
  visit("parameters", layer.parameters);
  visit("nonzeros", layer.nonzeros);
  visit("multiply_adds", layer.multiply_adds);
  visit("nonzero_multiply_adds", layer.nonzero_multiply_adds);
}

template <typename Record, typename Visit>
requires std::same_as<std::remove_const_t<Record>, RunRecord>
void visit_fields(Record& record, const Visit& visit) {
  visit("id", record.id);
  visit("row", record.row);
  visit("method", record.method);
  visit("mode", record.mode);
  visit("recovery", record.recovery);
  visit("schedule", record.schedule);
  visit("target", record.target);
  visit("seed", record.seed);
  visit("accuracy_before", record.accuracy_before);
  visit("accuracy", record.accuracy);
  visit("loss", record.loss);
  visit("test_images", record.test_images);
  visit("correct", record.correct);
  visit("parameters", record.parameters);
  visit("nonzero_parameters", record.nonzero_parameters);
  visit("prunable", record.prunable);
  visit("nonzero_prunable", record.nonzero_prunable);
  visit("multiply_adds", record.multiply_adds);
  visit("nonzero_multiply_adds", record.nonzero_multiply_adds);
  visit("stored_parameters", record.stored_parameters);
  visit("file_bytes", record.file_bytes);
  visit("sparse_file_bytes", record.sparse_file_bytes);
  visit("epochs", record.epochs);
  visit("train_seconds", record.train_seconds);
  visit("epochs_spent", record.epochs_spent);
  visit("seconds_spent", record.seconds_spent);
  visit("curve", record.curve);
  visit("layers", record.layers);
  visit("checkpoint", record.checkpoint);
  visit("sha256", record.sha256);
  visit("parent_sha256", record.parent_sha256);
  visit("cpu", record.cpu);
  visit("build", record.build);
  visit("commit", record.commit);
  visit("trained_commit", record.trained_commit);
  visit("latency", record.latency);
}

template <typename T>
void write_fields(nlohmann::json& json, const T& value) {
  visit_fields(value, [&](const char* key, const auto& field) { json[key] = field; });
}

template <typename T>
void read_fields(const nlohmann::json& json, T& value) {
  visit_fields(value, [&](const char* key, auto& field) { json.at(key).get_to(field); });
}

double share_of_zeros(int64_t nonzero, int64_t total) {
  return total > 0 ? 1 - static_cast<double>(nonzero) / static_cast<double>(total) : 0;
}

/// Nothing if the line is the beginning of a record, left by a crash: append_line() closes such a
/// line off and goes on.
std::optional<RunRecord> parse_record(std::string_view line) {
  try {
    return nlohmann::json::parse(line).get<RunRecord>();
  } catch (const nlohmann::json::parse_error& error) {
    const bool ends_too_early = line.front() == '{' && error.byte > line.size();
    if (!ends_too_early) throw;
    return std::nullopt;
  }
}

std::string to_line(const RunRecord& record) {
  std::string line;
  try {
    line = nlohmann::json(record).dump();
    // A line that cannot be read back (JSON has no NaN) would spoil the whole file.
    nlohmann::json::parse(line).get<RunRecord>();
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
  write_fields(json, point);
}

void from_json(const nlohmann::json& json, CurvePoint& point) {
  read_fields(json, point);
}

void to_json(nlohmann::json& json, const LayerCount& layer) {
  write_fields(json, layer);
}

void from_json(const nlohmann::json& json, LayerCount& layer) {
  read_fields(json, layer);
}

void to_json(nlohmann::json& json, const RunRecord& record) {
  write_fields(json, record);
}

void from_json(const nlohmann::json& json, RunRecord& record) {
  read_fields(json, record);
}

std::vector<RunRecord> read_records(const std::string& path) {
  const std::vector<char> content = read_file(path);
  std::string_view rest(content.data(), content.size());
  std::vector<RunRecord> records;
  for (int number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    try {
      if (auto record = parse_record(line)) records.push_back(std::move(*record));
    } catch (const nlohmann::json::exception& error) {
      require_file(false, path, "line {} is no record of a run: {}", number, error.what());
    }
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
