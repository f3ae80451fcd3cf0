#include "tools/study/study_folder.h"

#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

constexpr const char *kModels = "models", *kStudy = "study.json", *kLock = "lock";

std::string inside(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).string();
}

/// The folder, made if need be.
std::string with_models(const std::string& path) {
  make_folder(inside(path, kModels));
  return path;
}

nlohmann::json read_object(const std::string& path) {
  const std::vector<char> text = read_file(path);
  nlohmann::json json = parse_json({text.data(), text.size()}, path + ": damaged");
  require_file(json.is_object(), path, "damaged");
  return json;
}

}  // namespace

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StepTraining, accuracy_before, epochs, seconds, epochs_spent,
                                   seconds_spent, curve, parent_sha256)

StudyFolder::StudyFolder(const std::string& path)
    : path_(with_models(path)), lock_(inside(path, kLock)) {
  remove_abandoned(path_);
  remove_abandoned(inside(path_, kModels));
}

void StudyFolder::claim(const nlohmann::json& study, bool resume, const nlohmann::json& about) {
  const std::string path = inside(path_, kStudy);
  if (!fs::exists(path)) {
    nlohmann::json written = study;
    if (!about.is_null()) written["about"] = about;
    write_file_atomically(path, json_text(written, 2) + "\n");
    return;
  }
  require(resume, "study", "{} holds a study: go on with --resume, or name another folder", path_);
  require_study(study);
}

void StudyFolder::require_study(const nlohmann::json& part) const {
  const nlohmann::json there = read_object(inside(path_, kStudy));
  for (const auto& [key, value] : part.items()) {
    require(there.contains(key) ? there.at(key) == value : value.empty(), "study",
            "{} holds another study: its {} differs", path_, key);
  }
}

std::string StudyFolder::model_path(const std::string& id) const {
  return (fs::path(path_) / kModels / (id + ".safetensors")).string();
}

std::string StudyFolder::state_path(const std::string& id) const {
  return model_path(id) + ".state";
}

std::string StudyFolder::training_path(const std::string& id) const {
  return (fs::path(path_) / kModels / (id + ".json")).string();
}

std::string StudyFolder::runs_path() const {
  return inside(path_, "runs.jsonl");
}

bool StudyFolder::has_model(const std::string& id) const {
  if (!fs::exists(model_path(id))) return false;
  if (fs::exists(training_path(id))) fs::remove(state_path(id));
  return true;
}

void StudyFolder::save_training(const std::string& id, const StepTraining& training) {
  write_file_atomically(training_path(id), nlohmann::json(training).dump() + "\n");
}

StepTraining StudyFolder::load_training(const std::string& id) const {
  const nlohmann::json json = read_object(training_path(id));
  try {
    return json.get<StepTraining>();
  } catch (const nlohmann::json::exception& error) {
    throw FileError(fmt::format("{}: damaged: {}", training_path(id), error.what()));
  }
}

std::vector<RunRecord> StudyFolder::records() const {
  return fs::exists(runs_path()) ? read_records(runs_path()) : std::vector<RunRecord>{};
}

}  // namespace edgeprune
