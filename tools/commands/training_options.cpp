#include "engine/optim/optimizer.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {

void TrainingFlags::add(CLI::App& command) {
  command.add_option("--batch", options.batch, "images a step")
      ->check(positive())
      ->capture_default_str();
  command.add_option("--lr", options.learning_rate, "learning rate")
      ->check(positive())
      ->capture_default_str();
  command.add_option("--optimizer", options.optimizer, explained(optim::kOptimizers))
      ->check(choices(optim::kOptimizers))
      ->capture_default_str();
  command.add_option("--lr-schedule", schedule, explained(optim::kScheduleNames))
      ->check(choices(optim::kScheduleNames))
      ->capture_default_str();
  command.add_option("--weight-decay", options.weight_decay, "L2, added to the gradient")
      ->check(not_negative())
      ->capture_default_str();
  command.add_option("--seed", options.seed, "of order, augmentation, dropout and new weights")
      ->check(seed())
      ->capture_default_str();
  command.add_flag("--no-flip", no_flip, "no random left-right flips");
  command
      .add_option("--crop-padding", options.augmentation.crop_padding,
                  "pad so many pixels and crop at random")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command
      .add_option("--warm-up", options.warm_up,
                  "epochs in which the learning rate rises in a line from nearly 0")
      ->check(not_negative())
      ->capture_default_str();
  command
      .add_option("--label-smoothing", options.label_smoothing,
                  "share of each label that is shared out among all classes")
      ->check(between(0.0, 0.99))
      ->capture_default_str();
  command
      .add_option("--class-weights", class_weights,
                  "balanced: the fewer images a class has, the more each counts in the loss")
      ->check(CLI::IsMember(kClassWeights))
      ->capture_default_str();
  command
      .add_option("--colour", options.augmentation.colour,
                  "change brightness, contrast and saturation at random, by a factor from 1 - this "
                  "to 1 + this")
      ->check(between(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--rotation", options.augmentation.rotation,
                  "turn at random by up to so many degrees either way")
      ->check(between(0.0, 180.0))
      ->capture_default_str();
}

void TrainingFlags::add_of_new_networks(CLI::App& command) {
  command
      .add_option("--val-split", validation,
                  "training images held out, of each class in proportion, on which the best epoch "
                  "is chosen; 0: the last epoch")
      ->check(not_negative())
      ->capture_default_str();
  command
      .add_option("--patience", options.patience,
                  "stop once so many epochs in a row were no better on the --val-split images; 0: "
                  "never")
      ->check(not_negative())
      ->capture_default_str();
  command
      .add_option("--mean", options.mean,
                  "red,green,blue from 0 to 1, subtracted from the pixels; kept in the checkpoint "
                  "(default: the model's, of --weights ImageNet's)")
      ->delimiter(',')
      ->expected(3)
      ->check(between(0, 1));
  command.add_option("--std", options.std, "likewise, what they are then divided by")
      ->delimiter(',')
      ->expected(3)
      ->check(between(0.001, 100));
}

void TrainingFlags::overrule(const CLI::App& command, TrainOptions& plan,
                             int64_t& validation_images) const {
  const TrainOptions flags = parse();
  const auto take = [&](const char* flag, auto& into, const auto& from) {
    if (command.count(flag) > 0) into = from;
  };
  take("--batch", plan.batch, flags.batch);
  take("--lr", plan.learning_rate, flags.learning_rate);
  take("--optimizer", plan.optimizer, flags.optimizer);
  take("--lr-schedule", plan.schedule, flags.schedule);
  take("--weight-decay", plan.weight_decay, flags.weight_decay);
  take("--no-flip", plan.augmentation.flip, flags.augmentation.flip);
  take("--crop-padding", plan.augmentation.crop_padding, flags.augmentation.crop_padding);
  take("--warm-up", plan.warm_up, flags.warm_up);
  take("--label-smoothing", plan.label_smoothing, flags.label_smoothing);
  take("--class-weights", plan.balanced_classes, flags.balanced_classes);
  take("--colour", plan.augmentation.colour, flags.augmentation.colour);
  take("--rotation", plan.augmentation.rotation, flags.augmentation.rotation);
  take("--patience", plan.patience, flags.patience);
  take("--mean", plan.mean, flags.mean);
  take("--std", plan.std, flags.std);
  take("--val-split", validation_images, validation);
}

void TrainingFlags::default_to_qat(const CLI::App& command) {
  constexpr float kRate = 1e-5f;
  if (command.count("--lr") == 0) options.learning_rate = kRate;
  if (command.count("--lr-schedule") == 0) {
    schedule = optim::to_string(optim::Schedule::Kind::cosine);
  }
}

TrainOptions TrainingFlags::parse() const {
  TrainOptions result = options;
  result.schedule = optim::parse_schedule(schedule);
  result.augmentation.flip = !no_flip;
  result.balanced_classes = parse_class_weights(class_weights);
  return result;
}

void RecoveryFlags::add(CLI::App& command) {
  command
      .add_option("--bn-recalibrate", bn_recalibrate,
                  "take batch norm's statistics anew from so many training images, after pruning "
                  "and at the end of training; 0: off")
      ->check(images_to_recalibrate_on())
      ->capture_default_str();
  command.add_flag("--rewind", rewind,
                   "replay the learning rates of the baseline's last epochs (Renda et al. 2020) "
                   "instead of --lr and --lr-schedule");
  command
      .add_option("--distill", distill,
                  "T,alpha: learn from the dense baseline, too; loss (1-alpha) * cross-entropy "
                  "+ alpha * T^2 * KL at temperature T (Hinton et al. 2015), as 4,0.5")
      ->check(parsed_by(parse_distillation))
      ->excludes("--label-smoothing")
      ->excludes("--class-weights");
}

Recovery RecoveryFlags::parse() const {
  Recovery recovery;
  recovery.bn_recalibrate = bn_recalibrate;
  recovery.rewind = rewind;
  if (!distill.empty()) recovery.distillation = parse_distillation(distill);
  return recovery;
}

}  // namespace edgeprune::commands
