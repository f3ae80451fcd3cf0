#include "tools/cli/interrupt.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace edgeprune {
namespace {

void (*handler_of(int signal_number))(int) {
  struct sigaction action {};
  ::sigaction(signal_number, nullptr, &action);
  return action.sa_handler;
}

TEST(Interrupt, FirstSignalOnlySetsTheFlag) {
  for (const int number : {SIGINT, SIGTERM}) {
    const InterruptGuard guard;
    EXPECT_FALSE(interrupted());
    EXPECT_NO_THROW(throw_if_interrupted());
    ::raise(number);
    EXPECT_TRUE(interrupted());
    EXPECT_THROW(throw_if_interrupted(), Interrupted);
  }
}

TEST(Interrupt, ANewGuardStartsUninterrupted) {
  {
    const InterruptGuard guard;
    ::raise(SIGINT);
  }
  const InterruptGuard guard;
  EXPECT_FALSE(interrupted());
}

TEST(Interrupt, HandlersAreRestored) {
  const auto before = handler_of(SIGINT);
  {
    const InterruptGuard guard;
    EXPECT_NE(handler_of(SIGINT), before);
    ::raise(SIGINT);
  }
  EXPECT_EQ(handler_of(SIGINT), before);
}

TEST(Interrupt, IgnoredSignalsStayIgnored) {
  ::signal(SIGINT, SIG_IGN);
  {
    const InterruptGuard guard;
    ::raise(SIGINT);
    EXPECT_FALSE(interrupted());
  }
  ::signal(SIGINT, SIG_DFL);
}

TEST(InterruptDeathTest, SecondSignalOfEitherKindKills) {
  for (const int second : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          const InterruptGuard guard;
          ::raise(SIGINT);
          ::raise(second);
        },
        ::testing::KilledBySignal(second), "");
  }
}

TEST(Interrupt, MessageMayTellMore) {
  EXPECT_STREQ(Interrupted().what(), "interrupted");
  EXPECT_STREQ(Interrupted("go on with --resume").what(), "go on with --resume");
}

}  // namespace
}  // namespace edgeprune
