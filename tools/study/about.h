#pragma once
// What a study is, for readers of its report: kept in study.json beside the settings that decide its
// rows, and never compared when it goes on.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/json.h"

namespace edgeprune {

struct StudyAbout {
  std::string plan = {}, description = {};
  std::string plan_as_given = {};       ///< by --plan: a name, or a file (not on record before 0.2)
  std::string data = {}, weights = {};  ///< as --data and --weights named them
  int64_t classes = 0;
  /// Whether the data are CIFAR-10, the original study's (by the names of their classes).
  bool cifar10 = false;
  int64_t train_images = 0, finetune_images = 0, of_train_images = 0;
  int64_t test_images = 0, of_test_images = 0;
  int64_t validation_images = 0;  ///< held out from training, to choose the best epoch
  int64_t baseline_epochs = 0;
  std::string quantization = {};  ///< "512 training images, observer mse"; nothing: no row is
  std::string training = {};      ///< "batch 128, adam, learning rate 0.001 (cosine), ..."
  std::string begun = {};         ///< "2026-11-30 04:58 UTC"
  std::string command = {};       ///< that began it, as a shell takes it

  bool whole_training_set() const { return train_images == of_train_images; }
  bool whole_test_set() const { return test_images == of_test_images; }
};

/// Are these the classes of CIFAR-10, in any order?
bool are_cifar10(std::vector<std::string> classes);

/// A word as a shell takes it: in single quotes where it must be.
std::string shell_quoted(const std::string& word);
/// This process's command, quoted for a shell; empty where the system does not tell.
std::string command_line();
/// Now: "2026-11-30 04:58 UTC".
std::string date_and_time();

void to_json(nlohmann::json& json, const StudyAbout& about);
void from_json(const nlohmann::json& json, StudyAbout& about);

/// Of a study's folder; nothing if it is not on record (studies of earlier versions). Throws
/// FileError on a damaged study.json.
std::optional<StudyAbout> read_about(const std::string& folder);

}  // namespace edgeprune
