// Training with a teacher, with replayed learning rates, with recalibration at its end, and with
// masks that break.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/small_run.h"
#include "tests/support/tensors.h"
#include "tools/measurement/evaluate.h"
#include "tools/training/recalibrate.h"
#include "tools/training/teacher.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::SmallRun;
using testing::TemporaryFolder;

std::shared_ptr<nn::Network> make_teacher(uint64_t seed, int64_t input_size = 32,
                                          int64_t classes = 10) {
  return std::make_shared<nn::Network>(mobilenet_v2(0.25, input_size, classes), seed);
}

struct DistilledRun : SmallRun {
  explicit DistilledRun(float alpha = 0.5f, uint64_t teacher_seed = 7) {
    options.distillation = Distillation{2, alpha};
    options.teacher = make_teacher(teacher_seed);
  }
};

TEST(Teacher, SaysWhatTheNetworkSaysInEvaluationMode) {
  const auto model = make_teacher(7);
  Teacher teacher(*model, model->graph());
  const Tensor images = testing::random_tensor({4, 32, 32, 3}, 1);
  model->train(false);
  const NoGrad no_grad;
  Rng unused(0);
  const Tensor expected = model->forward(Variable(images), unused).value();
  const Tensor& logits = teacher.logits(images);
  ASSERT_EQ(logits.shape(), expected.shape());
  for (int64_t i = 0; i < expected.count(); ++i) {
    EXPECT_NEAR(logits.data()[i], expected.data()[i], 1e-5) << i;
  }
  // A smaller batch, as an epoch's last, is answered alike.
  Tensor two({2, 32, 32, 3});
  std::copy_n(images.data(), two.count(), two.data());
  const Tensor& fewer = teacher.logits(two);
  ASSERT_EQ(fewer.shape(), (Shape{2, 10}));
  for (int64_t i = 0; i < fewer.count(); ++i) {
    EXPECT_NEAR(fewer.data()[i], expected.data()[i], 1e-5) << i;
  }
  EXPECT_THROW(teacher.logits(Tensor({3, 16, 32, 3}, 0.0f)), std::invalid_argument);
}

TEST(DistillationTraining, ATeacherOfOtherImagesOrClassesIsRefused) {
  for (const auto& teacher : {make_teacher(7, 64), make_teacher(7, 32, 11)}) {
    DistilledRun run;
    run.options.teacher = teacher;
    EXPECT_THAT(message_of<std::invalid_argument>([&] { run.train(); }),
                HasSubstr("the student 10 of 32x32"));
  }
  DistilledRun run;
  run.options.teacher = nullptr;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { run.train(); }),
              HasSubstr("needs a teacher"));
}

TEST(DistillationTraining, WithoutAlphaIsTrainingWithoutTeacher) {
  SmallRun plain;
  DistilledRun distilled(0);
  plain.train();
  distilled.train();
  EXPECT_TRUE(same_weights(plain.model, distilled.model));
}

TEST(DistillationTraining, TheTeacherDecidesAndIsLeftAlone) {
  DistilledRun one(0.9f, 7), same(0.9f, 7), other(0.9f, 8);
  one.train();
  same.train();
  other.train();
  EXPECT_TRUE(same_weights(one.model, same.model));
  EXPECT_FALSE(same_weights(one.model, other.model));
  EXPECT_TRUE(same_weights(*one.options.teacher, *make_teacher(7)));
}

TEST(DistillationTraining, AStudentComesToAgreeWithItsTeacher) {
  const auto teacher = make_teacher(7);
  auto state = teacher->state_dict();
  auto* bias = reinterpret_cast<float*>(state.at("classifier.1.bias").bytes.data());
  bias[3] += 5;  // it calls everything that, whatever the labels say
  teacher->load_state_dict(state);
  const auto called_so = [](SmallRun& run) {
    run.options.epochs = 1;
    run.options.batch = 8;
    run.train();
    const Dataset test = synthetic(40, Split::test, 0);
    const Tensor logits = evaluate(run.model, run.info, test, inference::Engine::dense).logits;
    int64_t count = 0;
    for (int64_t i = 0; i < logits.dim(0); ++i) {
      const float* row = logits.data() + i * logits.dim(1);
      count += std::max_element(row, row + logits.dim(1)) - row == 3;
    }
    return count;
  };
  SmallRun plain(32), distilled(32);
  distilled.options.distillation = Distillation{2, 1};
  distilled.options.teacher = teacher;
  EXPECT_LE(called_so(plain), 4);
  EXPECT_EQ(called_so(distilled), 40);
}

TEST(DistillationTraining, InterruptedAfterEveryBatchEqualsUndisturbed) {
  const TemporaryFolder folder;
  DistilledRun undisturbed;
  undisturbed.options.bn_recalibrate = 64;
  undisturbed.train();
  const TrainState state{folder.file("m.state"), true};
  for (int batch = 0; batch < 6; ++batch) {
    DistilledRun part;
    part.options.bn_recalibrate = 64;
    EXPECT_TRUE(part.train_one_batch(state));
  }
  DistilledRun last;
  last.options.bn_recalibrate = 64;
  last.train(state);
  EXPECT_TRUE(same_weights(last.model, undisturbed.model));
}

TEST(RewindingTraining, ReplaysTheLastRatesOfTheBaseline) {
  // Epochs 3 and 4 of a schedule by steps over 4: with 3 batches each, decays at steps 4 and 8.
  SmallRun end;
  end.options.optimizer = "sgd";
  end.options.learning_rate = 123;  // of no consequence
  end.options.rewinding = Rewinding{optim::Schedule::Kind::step, 1e-2f, 4};
  // A rate that is constant but the right one in the first step differs only later.
  SmallRun constant;
  constant.options = end.options;
  constant.options.rewinding = Rewinding{optim::Schedule::Kind::constant, 1e-3f, 4};
  std::vector<double> rewound, flat;
  for (const EpochResult& epoch : end.train().epochs) rewound.push_back(epoch.loss);
  for (const EpochResult& epoch : constant.train().epochs) flat.push_back(epoch.loss);
  EXPECT_NEAR(rewound[0], flat[0], 1e-6) << "steps 6 to 8: 1e-3, the last one's is seen later";
  EXPECT_GT(std::abs(rewound[1] - flat[1]), 1e-5) << "from step 8 on: 1e-4";
}

TEST(RewindingTraining, AConstantRateIsTheSameRate) {
  SmallRun plain, rewound;
  rewound.options.learning_rate = 123;
  rewound.options.rewinding =
      Rewinding{optim::Schedule::Kind::constant, plain.options.learning_rate, 15};
  plain.train();
  rewound.train();
  EXPECT_TRUE(same_weights(plain.model, rewound.model));
}

TEST(RewindingTraining, ABaselineOfFewerEpochsIsRefused) {
  SmallRun run;
  run.options.rewinding = Rewinding{.epochs = 1};
  EXPECT_THAT(message_of<std::invalid_argument>([&] { run.train(); }),
              HasSubstr("2 epochs cannot replay the last ones of a training of 1"));
}

TEST(RecalibrationAtTheEnd, IsThatOfTheTrainedModel) {
  SmallRun plain, recalibrated;
  recalibrated.options.bn_recalibrate = 64;
  plain.train();
  recalibrated.train();
  EXPECT_FALSE(same_weights(plain.model, recalibrated.model));
  recalibrate_batch_norm(plain.model, plain.info, plain.training, 64, plain.options.seed);
  for (size_t i = 0; i < plain.model.norms().size(); ++i) {
    EXPECT_TRUE(testing::identical(plain.model.norms()[i]->state.running_var,
                                   recalibrated.model.norms()[i]->state.running_var));
  }
}

TEST(MaskAuditInTraining, AMaskedWeightThatComesAliveStopsTheRun) {
  SmallRun run;
  run.masks = make_masks(run.model, Method::magnitude, 0.5);
  const std::string name = "features.3.conv.0.0.weight";
  const auto break_mask = [&](const EpochResult&) {
    for (NamedVariable& parameter : run.model.parameters()) {
      if (parameter.name != name) continue;
      const Tensor& mask = run.masks.at(name);
      const auto pruned = std::find(mask.values().begin(), mask.values().end(), 0.0f);
      parameter.variable.value().data()[pruned - mask.values().begin()] = 0.5f;
    }
  };
  const std::string message = message_of<std::runtime_error>([&] { run.train({}, break_mask); });
  EXPECT_THAT(message, HasSubstr("[mask audit] " + name + ": 1 of the "));
  EXPECT_THAT(message, HasSubstr("is not zero before step 4")) << "the second epoch's first";
}

}  // namespace
}  // namespace edgeprune
