#include "tools/sweeps/sensitivity_log.h"

#include <filesystem>
#include <sstream>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"

namespace edgeprune {

SensitivityLog::SensitivityLog(std::string path, const nlohmann::json& identity)
    : path_(std::move(path)) {
  if (!std::filesystem::exists(path_)) {
    append_line(path_, nlohmann::json{{"scan", identity}}.dump());
    return;
  }
  const std::vector<char> bytes = read_file(path_);
  std::istringstream lines(std::string(bytes.begin(), bytes.end()));
  bool identified = false;
  for (std::string text; std::getline(lines, text);) {
    nlohmann::json line;
    try {
      line = parse_json(text, path_ + ": damaged");
    } catch (const TruncatedJson&) {
      continue;
    }
    if (line.is_object() && line.contains("scan")) {
      for (const auto& [key, value] : identity.items()) {
        require(
            line["scan"].is_object() && line["scan"].contains(key) && line["scan"][key] == value,
            "sensitivity", "{} is of another scan: {} differs (name another folder)", path_, key);
      }
      identified = true;
      continue;
    }
    require_file(identified, path_, "is no log of a sensitivity scan");
    try {
      take(line);
    } catch (const nlohmann::json::exception& error) {
      throw FileError(fmt::format("{}: damaged: {}", path_, error.what()));
    }
  }
  if (!identified) append_line(path_, nlohmann::json{{"scan", identity}}.dump());
}

void SensitivityLog::take(const nlohmann::json& line) {
  const Key key{line.at("layer"), line.at("level")};
  if (line.contains("accuracy")) {
    accuracies_[key] = line.at("accuracy");
  } else {
    times_[key] = {line.at("dense_ms"), line.at("sparse_ms")};
  }
}

std::optional<double> SensitivityLog::accuracy(const std::string& layer, double level) const {
  const auto found = accuracies_.find({layer, level});
  if (found == accuracies_.end()) return {};
  return found->second;
}

std::optional<SensitivityLog::Times> SensitivityLog::times(const std::string& layer,
                                                           double level) const {
  const auto found = times_.find({layer, level});
  if (found == times_.end()) return {};
  return found->second;
}

void SensitivityLog::add_accuracy(const std::string& layer, double level, double accuracy) {
  append_line(path_,
              nlohmann::json{{"layer", layer}, {"level", level}, {"accuracy", accuracy}}.dump());
  accuracies_[{layer, level}] = accuracy;
}

void SensitivityLog::add_times(const std::string& layer, double level, const Times& times) {
  append_line(path_, nlohmann::json{{"layer", layer},
                                    {"level", level},
                                    {"dense_ms", times.dense_ms},
                                    {"sparse_ms", times.sparse_ms}}
                         .dump());
  times_[{layer, level}] = times;
}

}  // namespace edgeprune
