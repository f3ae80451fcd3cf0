#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "engine/base/check.h"
#include "tests/support/message_of.h"
#include "tests/support/sanitizers.h"
#include "tools/station/drift/monitor.h"

namespace edgeprune::station {
namespace {

using edgeprune::testing::message_of;
using ::testing::HasSubstr;

/// A belt between two rails, and on it a part somewhere near the middle, of a brightness of its own.
class Line {
 public:
  explicit Line(uint32_t seed) : random_(seed) {}

  double light = 1;
  int right = 0;        ///< pixels that the camera was knocked by
  double noise = 2;     ///< grey levels
  bool unseen = false;  ///< the network does not know what it sees

  Image image() {
    std::normal_distribution<double> normal;
    const double x0 = 32 + normal(random_), y0 = 32 + normal(random_),
                 part = 150 + 15 * normal(random_);
    Image image{64, 64, {}};
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 64; ++x) {
        const int seen = x - right;
        const bool rail = seen == 6 || seen == 7 || seen == 54 || seen == 55 ||
                          (y == 12 && seen > 20 && seen < 30);
        double grey = rail ? 200 : 60 + y / 4.0;
        if (std::hypot(seen - x0, y - y0) < 14) grey = part;
        grey = std::clamp(light * grey + noise * normal(random_), 0.0, 255.0);
        for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<uint8_t>(std::lround(grey)));
      }
    }
    return image;
  }
  float confidence() {
    std::uniform_real_distribution<double> uniform;
    const double error = std::pow(uniform(random_), unseen ? 1.2 : 4);
    return static_cast<float>(1 - 0.5 * error);
  }

 private:
  std::mt19937 random_;
};

DriftReference reference_of(Line line, int images = 600) {
  DriftReferenceBuilder builder;
  for (int i = 0; i < images; ++i) builder.add(line.image(), line.confidence());
  return std::move(builder).build();
}

struct Alarm {
  int items = 0;
  std::string what;
};

/// After 200 items as they should be, `change` happens to the line: the items from then until an alarm.
Alarm alarm_after(const std::function<void(Line&)>& change) {
  DriftMonitor monitor(reference_of(Line(1)));
  Line line(2);
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(monitor.add(line.image(), line.confidence())) << i;
  change(line);
  for (int i = 1; i <= 1000; ++i) {
    if (const auto alarm = monitor.add(line.image(), line.confidence())) return {i, *alarm};
  }
  return {};
}

TEST(Drift, EachDisturbanceIsFoundAndNamedWithin500Items) {
  const auto darker = alarm_after([](Line& line) { line.light = 0.7; });
  EXPECT_THAT(darker.what, HasSubstr("luminance fell"));
  const auto knocked = alarm_after([](Line& line) { line.right = 4; });
  EXPECT_THAT(knocked.what, HasSubstr("the image moved by 4 right and 0 down"));
  const auto noisy = alarm_after([](Line& line) { line.noise = 4; });
  EXPECT_THAT(noisy.what, ::testing::AnyOf(HasSubstr("noise rose"), HasSubstr("sharpness rose")));
  const auto unseen = alarm_after([](Line& line) { line.unseen = true; });
  EXPECT_THAT(unseen.what, HasSubstr("confidence fell"));
  for (const Alarm& alarm : {darker, knocked, noisy, unseen}) {
    EXPECT_GT(alarm.items, 0) << alarm.what;
    EXPECT_LE(alarm.items, 500) << alarm.what;
    RecordProperty("items until " + alarm.what, alarm.items);
  }
}

TEST(Drift, UndisturbedItemsRaiseNoAlarm) {
  DriftMonitor monitor(reference_of(Line(3), 1000));
  Line line(4);
  const int items = edgeprune::testing::kSanitized ? 2000 : 5000;
  for (int i = 0; i < items; ++i) {
    const auto alarm = monitor.add(line.image(), line.confidence());
    EXPECT_FALSE(alarm) << *alarm << " at " << i;
  }
  EXPECT_EQ(monitor.items(), uint64_t(items));
  for (const DriftState& state : monitor.state())
    EXPECT_LT(std::abs(state.effect), 0.5) << state.name;
}

TEST(Drift, TheThresholdKeepsItsBudget) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  const int budget = 500, runs = 2000;  // two directions: half as many items from alarm to alarm
  Cusum sums(threshold_for(budget));
  int items = 0;
  for (int alarms = 0; alarms < runs; ++items) alarms += sums.add(normal(random));
  EXPECT_NEAR(2.0 * items / runs, budget, 0.1 * budget);
}

TEST(Drift, NormalQuantiles) {
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-12);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-9);
  EXPECT_NEAR(normal_quantile(1e-6), -4.753424308822899, 1e-6);
}

TEST(Drift, AShiftIsTheOneThatWasMade) {
  Line line(6);
  const std::vector<float> before = thumbnail(line.image());
  for (const int right : {-9, -1, 0, 3, 12}) {
    std::vector<float> moved(before.size());
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 64; ++x) {
        moved[size_t(y * 64 + x)] =
            before[size_t(std::clamp(y + 5, 0, 63) * 64 + std::clamp(x - right, 0, 63))];
      }
    }
    const Shift shift = shift_between(before, moved);
    EXPECT_EQ(shift.right, right);
    EXPECT_EQ(shift.down, -5);
    EXPECT_GT(shift.peak, 0.1);
  }
}

TEST(Drift, NoiseIsMeasuredInTheImagesOwnUnits) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(128, 5);
  Image image{200, 200, {}};
  for (int i = 0; i < 200 * 200; ++i) {
    const auto grey = static_cast<uint8_t>(std::lround(normal(random)));
    for (int c = 0; c < 3; ++c) image.rgb.push_back(grey);
  }
  EXPECT_NEAR(features_of(image, 0.5f)[size_t(Feature::noise)] * 255, 5, 0.15);
  EXPECT_NEAR(features_of(image, 0.5f)[size_t(Feature::luminance)] * 255, 128, 0.2);
  EXPECT_EQ(features_of(image, 0.5f)[size_t(Feature::confidence)], 0.5f);
  EXPECT_EQ(features_of({1, 1, {9, 9, 9}}, 1)[size_t(Feature::noise)], 0);
}

TEST(Drift, AReferenceSurvivesItsFile) {
  const DriftReference reference = reference_of(Line(8), 120);
  const DriftReference again = parse_reference(reference_text(reference), "r");
  EXPECT_EQ(again.values, reference.values);
  EXPECT_EQ(again.mean, reference.mean);
  EXPECT_THAT(message_of<FileError>([] { parse_reference("{}", "r"); }), HasSubstr("r: luminance"));
  EXPECT_THAT(message_of<std::invalid_argument>([] { reference_of(Line(8), 99); }),
              HasSubstr("expected 100 reference images"));
}

}  // namespace
}  // namespace edgeprune::station
