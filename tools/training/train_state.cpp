#include "tools/training/train_state.h"

#include "engine/base/check.h"
#include "engine/base/digest.h"
#include "engine/base/json.h"
#include "engine/tensor/safetensors.h"
#include "tools/training/training_history.h"

namespace edgeprune {
namespace {

constexpr const char *kModel = "model/", *kOptimizer = "optimizer/", *kBest = "best/";

std::string digest_of(const std::map<std::string, Array>& arrays) {
  Digest digest;
  for (const auto& [name, array] : arrays) {
    digest.add(name);
    digest.add(array.bytes.data(), array.bytes.size());
  }
  return digest.hex();
}

std::string digest_of(const Masks& masks) {
  Digest digest;
  for (const auto& [name, mask] : masks) {
    digest.add(name);
    digest.add(mask.data(), static_cast<size_t>(mask.count()) * sizeof(float));
  }
  return digest.hex();
}

void insert(std::map<std::string, Array>& into, const std::string& prefix,
            const std::map<std::string, Array>& arrays) {
  for (const auto& [name, array] : arrays) into.emplace(prefix + name, array);
}

std::map<std::string, Array> extract(const std::map<std::string, Array>& from,
                                     const std::string& prefix) {
  std::map<std::string, Array> arrays;
  for (const auto& [name, array] : from) {
    if (name.starts_with(prefix)) arrays.emplace(name.substr(prefix.size()), array);
  }
  return arrays;
}

/// A training goes on for more epochs than it was begun for, if that leaves the rates of those that
/// are over as they were.
bool is_longer(const nlohmann::json& wanted, const nlohmann::json& begun) {
  return wanted.at("schedule") == static_cast<int>(optim::Schedule::Kind::constant) &&
         wanted.at("rewinding") == "none" && wanted.at("epochs") > begun.at("epochs");
}

}  // namespace

// (By hand for the sake of the optional value, which nlohmann's macro does not know.)
static void to_json(nlohmann::json& json, const EpochResult& e) {
  json = {{"epoch", e.epoch},
          {"loss", e.loss},
          {"accuracy", e.accuracy},
          {"seconds", e.seconds},
          {"images_per_second", e.images_per_second},
          {"loader_wait", e.loader_wait},
          {"validation_accuracy",
           e.validation_accuracy ? nlohmann::json(*e.validation_accuracy) : nlohmann::json()}};
}

static void from_json(const nlohmann::json& json, EpochResult& e) {
  e = {.epoch = json.at("epoch"),
       .loss = json.at("loss"),
       .accuracy = json.at("accuracy"),
       .seconds = json.at("seconds"),
       .images_per_second = json.at("images_per_second"),
       .loader_wait = json.at("loader_wait"),
       .validation_accuracy = {}};
  const auto& validation = json.at("validation_accuracy");
  if (!validation.is_null()) e.validation_accuracy = validation.get<double>();
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainProgress, epoch, batch, loss, seconds, correct,
                                   best_accuracy, best_epoch, finished)

nlohmann::json run_identity(const nn::Network& model, const Dataset& training,
                            const Dataset* validation, const Masks& masks,
                            const TrainOptions& options) {
  nlohmann::json rewinding = "none";
  if (options.rewinding) {
    const auto& [schedule, rate, epochs] = *options.rewinding;
    rewinding = {optim::to_string(schedule), rate, epochs};
  }
  nlohmann::json identity = {
      {"graph", model.graph()},
      {"initial weights", digest_of(model.state_dict())},
      {"masks", digest_of(masks)},
      {"training data", fingerprint(training)},
      {"validation data", validation == nullptr ? "none" : fingerprint(*validation)},
      {"epochs", options.epochs},
      {"batch", options.batch},
      {"optimizer", options.optimizer},
      {"learning rate", options.learning_rate},
      {"schedule", static_cast<int>(options.schedule)},
      {"weight decay", options.weight_decay},
      {"seed", options.seed},
      {"flip", options.augmentation.flip},
      {"crop padding", options.augmentation.crop_padding},
      {"distillation", options.distillation ? to_string(*options.distillation) : "none"},
      {"teacher", options.distillation ? digest_of(options.teacher->state_dict()) : "none"},
      {"rewinding", rewinding},
      {"batch-norm recalibration", options.bn_recalibrate}};
  identity.update(refinements(options));
  return identity;
}

void save_train_state(const std::string& path, const nlohmann::json& identity,
                      const nn::Network& model, const optim::Optimizer& optimizer,
                      const TrainProgress& progress) {
  Archive archive;
  insert(archive.arrays, kModel, model.state_dict());
  insert(archive.arrays, kOptimizer, optimizer.state());
  insert(archive.arrays, kBest, progress.best_weights);
  archive.metadata = {{"identity", identity.dump()}, {"progress", nlohmann::json(progress).dump()}};
  write_safetensors(path, archive);
}

TrainProgress load_train_state(const std::string& path, const nlohmann::json& identity,
                               nn::Network& model, optim::Optimizer& optimizer) {
  const Archive archive = read_safetensors(path);
  TrainProgress progress;
  try {
    const auto own = parse_json(archive.metadata.at("identity"), path + ": identity");
    for (const auto& [key, value] : identity.items()) {
      const bool same = own.contains(key) &&
                        (own.at(key) == value || (key == "epochs" && is_longer(identity, own)));
      require(same, "resume",
              "{} is the state of another run: {} differs{} (remove it, or start without resuming)",
              path, key, key == "epochs" ? ", and may only grow, at a constant learning rate" : "");
    }
    for (const auto& [key, value] : own.items()) {
      require(identity.contains(key), "resume",
              "{} is the state of another run: it had {} {} (remove it, or start without resuming)",
              path, key, value.dump());
    }
    parse_json(archive.metadata.at("progress"), path + ": progress").get_to(progress);
    require_file(progress.epoch == static_cast<int64_t>(progress.finished.size()) &&
                     progress.batch >= 0 && progress.correct >= 0 && progress.best_epoch >= 0 &&
                     progress.best_epoch <= progress.epoch,
                 path, "damaged training state: epoch {}, batch {}, {} finished, the best is {}",
                 progress.epoch, progress.batch, progress.finished.size(), progress.best_epoch);
  } catch (const nlohmann::json::exception& error) {
    throw FileError(fmt::format("{}: damaged training state: {}", path, error.what()));
  } catch (const std::out_of_range&) {
    throw FileError(fmt::format("{}: not a training state", path));
  }
  try {
    // The best weights are needed only once the training is over: too late to find them damaged.
    if (progress.best_epoch > 0) model.load_state_dict(extract(archive.arrays, kBest));
    model.load_state_dict(extract(archive.arrays, kModel));
    optimizer.load_state(extract(archive.arrays, kOptimizer));
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: damaged training state: {}", path, error.what()));
  }
  progress.best_weights = extract(archive.arrays, kBest);
  return progress;
}

}  // namespace edgeprune
