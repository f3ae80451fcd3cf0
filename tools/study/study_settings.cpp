#include "tools/study/study_settings.h"

#include <algorithm>
#include <tuple>

#include "data/open.h"
#include "tools/training/training_history.h"

namespace edgeprune {
namespace {

nlohmann::json quantization_settings(const StudyPlan& plan) {
  return {{"calibration images", plan.calibration_images},
          {"observer", name_of(kObservers, plan.calibration.observer)},
          {"equalize", plan.calibration.equalize},
          {"bias correction", plan.calibration.correct_biases},
          {"qat epochs", plan.qat_epochs},
          {"qat learning rate", plan.qat_learning_rate}};
}

/// "512 training images, observer mse, bias correction"
std::string about_quantization(const StudyPlan& plan, const StudyData& data) {
  return fmt::format("{} training images, observer {}{}{}",
                     std::min(plan.calibration_images, data.finetuning.size()),
                     name_of(kObservers, plan.calibration.observer),
                     plan.calibration.equalize ? ", equalised" : "",
                     plan.calibration.correct_biases ? ", biases corrected" : "");
}

}  // namespace

Wanted wanted(const StudyPlan& plan, const StudyOptions& options) {
  return {.network = plan.network, .width = options.width, .input_size = options.input_size};
}

StudyData open_data(const StudyPlan& plan, const StudyOptions& options,
                    const std::function<void(const std::string&)>& say) {
  ReadOptions reading;
  reading.resize = options.resize;
  reading.input_size = StartingPoint(options.weights, wanted(plan, options)).input_size();
  reading.skip_bad = options.skip_bad_images;
  reading.say = say;
  const auto part = [&](const Dataset& dataset, int64_t images) {
    return images == 0 ? dataset : limit(dataset, images, options.seeds.front());
  };
  StudyData data;
  data.training = open_dataset(options.data, Split::train, reading);
  data.of_training = data.training.size();
  if (plan.validation_images > 0) {
    std::tie(data.training, data.validation) =
        hold_out(std::move(data.training), plan.validation_images, options.seeds.front());
  }
  data.finetuning = part(data.training, plan.finetune_images);
  data.training = part(data.training, plan.train_images);
  data.test = open_dataset(options.data, Split::test, reading);
  data.of_test = data.test.size();
  data.test = part(data.test, plan.test_images);
  for (const Dataset* images : {&data.training, &data.finetuning}) {
    const std::string batches = batch_note(images->size(), plan.training.batch);
    if (!batches.empty()) say("note: " + batches);
  }
  return data;
}

nlohmann::json latency_settings(const StudyPlan& plan) {
  std::vector<std::string> engines;
  for (const auto engine : plan.engines) engines.push_back(inference::to_string(engine));
  return {{"engines", engines},
          {"batches", plan.batches},
          {"seconds", plan.latency.seconds},
          {"min samples", plan.latency.min_samples},
          {"warm-up seconds", plan.latency.warmup_seconds}};
}

nlohmann::json settings_of(const StudyPlan& plan, const StudyOptions& options,
                           const StudyData& data) {
  nlohmann::json steps = nlohmann::json::object();
  for (const StudyStep& step : study_steps(plan, {options.seeds.front()})) {
    steps[step.id] = identity_of(step);
    steps[step.id]["row"] = step.row;
  }
  const TrainOptions& training = plan.training;
  nlohmann::json settings = {
      {"plan", plan.name},
      {"steps", steps},
      {"training data", fingerprint(data.training)},
      {"fine-tuning images", data.finetuning.size()},
      {"test data", fingerprint(data.test)},
      {"weights", options.weights == "random" ? "random" : sha256_of_file(options.weights)},
      {"latency", latency_settings(plan)},
      {"batch", training.batch},
      {"optimizer", training.optimizer},
      {"learning rate", training.learning_rate},
      {"learning rate schedule", optim::to_string(training.schedule)},
      {"weight decay", training.weight_decay},
      {"flip", training.augmentation.flip},
      {"crop padding", training.augmentation.crop_padding},
      {"seed", options.seeds.front()},
      // Empty unless given: studies begun before there were these flags go on.
      {"network", !plan.network.empty() ? nlohmann::json(plan.network) : nullptr},
      {"width", options.width != 0 ? nlohmann::json(options.width) : nullptr},
      {"input size", options.input_size != 0 ? nlohmann::json(options.input_size) : nullptr},
      {"validation images",
       plan.validation_images != 0 ? nlohmann::json(plan.validation_images) : nullptr},
      {"refinements", refinements(training)},
      {"quantization", quantizes(plan) ? quantization_settings(plan) : nullptr},
  };
  return settings;
}

StudyAbout about_study(const StudyPlan& plan, const StudyOptions& options, const StudyData& data) {
  const TrainOptions& training = plan.training;
  const auto& augmentation = training.augmentation;
  const nlohmann::json refining = refinements(training);
  std::string refined;  // ", label smoothing 0.1, warm up 1"
  for (const auto& [name, value] : refining.items()) {
    refined +=
        fmt::format(", {} {}", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  std::ranges::replace(refined, '_', ' ');
  return {.plan = plan.name,
          .description = plan.description,
          .plan_as_given = plan.as_given,
          .data = options.data,
          .weights = options.weights,
          .classes = std::ssize(data.training.classes),
          .cifar10 = are_cifar10(data.training.classes) && !options.data.starts_with("synthetic"),
          .train_images = data.training.size(),
          .finetune_images = data.finetuning.size(),
          .of_train_images = data.of_training,
          .test_images = data.test.size(),
          .of_test_images = data.of_test,
          .validation_images = data.validation.size(),
          .baseline_epochs = plan.baseline_epochs,
          .quantization = quantizes(plan) ? about_quantization(plan, data) : "",
          .training = fmt::format(
              "batch {}, {}, learning rate {:g} ({}), weight decay {:g}{}{}{}", training.batch,
              training.optimizer, training.learning_rate, optim::to_string(training.schedule),
              training.weight_decay, augmentation.flip ? ", flipped" : "",
              augmentation.crop_padding > 0
                  ? fmt::format(", cropped {} pixels off", augmentation.crop_padding)
                  : "",
              refined),
          .begun = date_and_time(),
          .command = command_line()};
}

}  // namespace edgeprune
