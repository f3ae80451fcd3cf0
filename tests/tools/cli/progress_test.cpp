#include "tools/cli/progress.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "tools/cli/text.h"

namespace edgeprune {
namespace {

/// A terminal (or file: 0 columns) and a clock in the test's hands.
struct FakeScreen {
  int columns = 0;
  double now = 100;
  std::vector<std::string> writes{};

  ProgressSink sink() {
    return {[this](std::string_view text) { writes.emplace_back(text); },
            [this] { return columns; }, [this] { return now; }};
  }
};

/// The line as seen: without the carriage return and the code that clears the rest.
std::string shown(const std::string& write) {
  EXPECT_EQ(write.front(), '\r');
  EXPECT_EQ(write.substr(write.size() - 3), "\x1b[K");
  return write.substr(1, write.size() - 4);
}

TEST(Progress, WorkThatIsPartOfOtherWorkCanBeHidden) {
  FakeScreen screen{120};
  const auto work = [&] {
    Progress progress("evaluate", 10, "images", screen.sink());
    screen.now += 20;
    progress.advance(10);
  };
  {
    const HiddenProgress outer, inner;
    work();
  }
  EXPECT_TRUE(screen.writes.empty());
  work();
  EXPECT_FALSE(screen.writes.empty()) << "behind it, not in it";
}

TEST(Progress, WorkUnderTwoSecondsShowsNothing) {
  for (const int columns : {0, 120}) {
    FakeScreen screen{columns};
    {
      Progress progress("load", 10, "files", screen.sink());
      for (int i = 0; i < 10; ++i) {
        screen.now += 0.19;
        progress.advance(1);
      }
    }
    EXPECT_TRUE(screen.writes.empty());
  }
}

TEST(Progress, TerminalLineShowsShareRateTimeLeftAndDetail) {
  FakeScreen screen{120};
  Progress progress("epoch 3/15", 50000, "images", screen.sink());
  screen.now += 50;
  progress.advance(12500, "loss 0.71 acc 77.2 %");
  ASSERT_EQ(screen.writes.size(), 1u);
  EXPECT_EQ(shown(screen.writes[0]),
            "epoch 3/15 [#######.......................]  25 %  12500/50000 images  250 images/s  "
            "2:30 left  "
            "loss 0.71 acc 77.2 %");
}

TEST(Progress, TerminalIsRedrawnAtMostTenTimesASecond) {
  FakeScreen screen{120};
  Progress progress("x", 100000, "steps", screen.sink());
  screen.now += 2;
  for (int i = 0; i < 1000; ++i) {
    screen.now += 0.01;
    progress.advance(1);
  }
  EXPECT_LE(screen.writes.size(), 101u);
  EXPECT_GE(screen.writes.size(), 85u);
}

TEST(Progress, TerminalLineNeverReachesTheLastColumn) {
  for (int columns = 1; columns < 200; ++columns) {
    FakeScreen screen{columns};
    Progress progress("épreuve", 1000, "images", screen.sink());
    screen.now += 10;
    progress.advance(500, "loss 0.71 × acc 77.2 %");
    EXPECT_LT(text_columns(shown(screen.writes.at(0))), static_cast<size_t>(columns));
  }
}

TEST(Progress, EightyColumnsKeepTheDetailAndTheBar) {
  FakeScreen screen{80};
  Progress progress("epoch 3/15", 50000, "images", screen.sink());
  screen.now += 50;
  progress.advance(12500, "loss 0.71 acc 77.2 %");
  const std::string line = shown(screen.writes.at(0));
  EXPECT_NE(line.find("[#"), std::string::npos) << line;
  EXPECT_NE(line.find("acc 77.2 %"), std::string::npos) << line;
  EXPECT_EQ(line.find("12500/50000"), std::string::npos) << line;
}

TEST(Progress, FollowsTheTerminalWhenItIsResized) {
  FakeScreen screen{150};
  Progress progress("x", 100, "steps", screen.sink());
  screen.now += 5;
  progress.advance(10);
  screen.columns = 40;
  screen.now += 5;
  progress.advance(10);
  EXPECT_LT(text_columns(shown(screen.writes.at(1))), 40u);
}

TEST(Progress, FileGetsALineEveryTenSecondsAndOneAtTheEnd) {
  FakeScreen screen{0};
  {
    Progress progress("train", 250, "steps", screen.sink());
    for (int i = 0; i < 250; ++i) {
      screen.now += 0.1;
      progress.advance(1, "loss 1");
    }
  }
  ASSERT_EQ(screen.writes.size(), 3u);
  EXPECT_EQ(screen.writes[2], "train 100 %  250/250 steps  10.0 steps/s  0:25  loss 1\n");
  for (const std::string& line : screen.writes) {
    EXPECT_EQ(line.find_first_of("\r\x1b"), std::string::npos);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
  }
}

TEST(Progress, FinishShowsTheTimeTakenEndsTheLineAndHappensOnce) {
  FakeScreen screen{100};
  {
    Progress progress("train", 10, "steps", screen.sink());
    screen.now += 3725;
    progress.advance(10);
    progress.finish();
    progress.finish();
  }
  ASSERT_EQ(screen.writes.size(), 3u);
  EXPECT_NE(screen.writes[1].find("1:02:05"), std::string::npos);
  EXPECT_EQ(screen.writes[1].find("left"), std::string::npos);
  EXPECT_EQ(screen.writes[2], "\n");
}

TEST(Progress, AnExceptionLeavesTheLineEndedWhereTheWorkStopped) {
  FakeScreen screen{100};
  try {
    Progress progress("train", 10, "steps", screen.sink());
    screen.now += 20;
    progress.advance(4);
    throw std::runtime_error("NaN");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(screen.writes.back(), "\n");
  EXPECT_NE(screen.writes[screen.writes.size() - 2].find(" 40 %"), std::string::npos);
}

TEST(Progress, ASinkThatThrowsDoesNotEndTheProgram) {
  FakeScreen screen{0};
  ProgressSink sink = screen.sink();
  sink.write = [](std::string_view) { throw std::runtime_error("disk full"); };
  Progress progress("train", 10, "steps", sink);
  screen.now += 5;
}

TEST(Progress, WorkOfAnEarlierRunCountsAsDoneButNotForTheRate) {
  FakeScreen screen{0};
  Progress progress("train", 1000, "steps", screen.sink());
  progress.skip(500);
  screen.now += 10;
  progress.advance(100);
  ASSERT_EQ(screen.writes.size(), 1u);
  EXPECT_EQ(screen.writes[0], "train  60 %  600/1000 steps  10.0 steps/s  0:40 left\n");
}

TEST(Progress, OddTotalsAreHandled) {
  FakeScreen screen{0};
  EXPECT_THROW(Progress("x", -1, "steps", screen.sink()), std::invalid_argument);
  {
    Progress nothing_to_do("x", 0, "steps", screen.sink());
    screen.now += 20;
    nothing_to_do.advance(0);
    Progress more_than_announced("y", 10, "steps", screen.sink());
    screen.now += 20;
    more_than_announced.advance(15);
  }
  ASSERT_EQ(screen.writes.size(), 3u);
  EXPECT_EQ(screen.writes[0], "y 100 %  15/10 steps  0.75 steps/s  0:00 left\n");
}

}  // namespace
}  // namespace edgeprune
