#include "tools/station/plc/registers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/file.h"
#include "tests/support/paths.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;

TEST(Registers, AResultComesBackAndHalfOfOneIsNone) {
  StationBlock block{};
  EXPECT_FALSE(decode(result_registers(block, 0))) << "nothing was written";
  encode({{3, 65535}, Verdict::ok, 0.98765f}, result_registers(block, 7));
  const auto result = decode(result_registers(block, 7));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->id, (ItemId{3, 65535}));
  EXPECT_EQ(result->verdict, Verdict::ok);
  EXPECT_FLOAT_EQ(result->confidence, 0.9877f);
  // An older result whose first registers alone were overwritten: every such mixture is none.
  StationBlock newer{};
  encode({{3, 4}, Verdict::reject, 0.5f}, result_registers(newer, 7));
  for (size_t written = 1; written < kResultSize; ++written) {
    StationBlock torn = block;
    for (size_t i = 0; i < written; ++i)
      result_registers(torn, 7)[i] = result_registers(newer, 7)[i];
    EXPECT_FALSE(decode(result_registers(torn, 7))) << written;
  }
  for (const Register verdict : {0, 4, 65535}) {
    StationBlock wrong = block;
    result_registers(wrong, 7)[size_t(ResultRegister::verdict)] = verdict;
    EXPECT_FALSE(decode(result_registers(wrong, 7))) << verdict;
  }
}

TEST(Registers, TheReadmeHasThemAll) {
  const auto file = read_file(edgeprune::testing::source_folder() + "/tools/station/README.md");
  const std::string text(file.begin(), file.end());
  const auto expect = [&](const auto& table) {
    for (const auto& one : table) EXPECT_THAT(text, ::testing::HasSubstr(one.name));
  };
  expect(kPlcRegisters);
  expect(kStationRegisters);
  expect(kResultRegisters);
  EXPECT_THAT(text, ::testing::HasSubstr(fmt::format("| {} | StationHeartbeat", kStationBlock)));
  EXPECT_THAT(text, ::testing::HasSubstr(fmt::format("| {} + {} i | ResultId",
                                                     kStationBlock + std::size(kStationRegisters),
                                                     kResultSize)));
}

TEST(Registers, AHeartbeatIsDeadAfterThreeMissedOnes) {
  HeartbeatWatch watch;
  const Instant start = Clock::now();
  EXPECT_FALSE(watch.alive(7, start)) << "it has not moved yet";
  EXPECT_TRUE(watch.alive(8, start + 10ms));
  EXPECT_TRUE(watch.alive(8, start + 159ms));
  EXPECT_FALSE(watch.alive(8, start + 160ms));
  EXPECT_TRUE(watch.alive(0, start + 200ms)) << "any other number is a beat";
}

}  // namespace
}  // namespace edgeprune::station
