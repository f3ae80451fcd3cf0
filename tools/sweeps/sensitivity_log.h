#pragma once
// What a sensitivity scan knows already: a file that is appended to line by line.

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/base/json.h"

namespace edgeprune {

/// A line says what the scan is ("scan"), or the accuracy or the times of a layer at a level.
class SensitivityLog {
 public:
  struct Times {
    double dense_ms = 0, sparse_ms = 0;
  };

  /// `identity`: an object of all that decides what the scan finds. Reads the file if there is one,
  /// else begins it. A line that breaks off (a crash) is left out. Throws std::invalid_argument
  /// naming what differs if it is another scan's, FileError if it is none.
  SensitivityLog(std::string path, const nlohmann::json& identity);

  std::optional<double> accuracy(const std::string& layer, double level) const;
  std::optional<Times> times(const std::string& layer, double level) const;
  void add_accuracy(const std::string& layer, double level, double accuracy);
  void add_times(const std::string& layer, double level, const Times& times);

 private:
  using Key = std::pair<std::string, double>;
  void take(const nlohmann::json& line);

  std::string path_;
  std::map<Key, double> accuracies_;
  std::map<Key, Times> times_;
};

}  // namespace edgeprune
