#include "tools/plots/gnuplot_process.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/paths.h"
#include "tests/support/require_gnuplot.h"

namespace edgeprune {
namespace {

/// PATH holds nothing but, perhaps, a gnuplot made of `script`.
class FakeGnuplot {
 public:
  explicit FakeGnuplot(const std::string& script = "") : before_(std::getenv("PATH")) {
    if (!script.empty()) {
      std::ofstream(folder_.file("gnuplot")) << "#!/bin/sh\n" << script;
      ::chmod(folder_.file("gnuplot").c_str(), 0755);
    }
    ::setenv("PATH", folder_.path().c_str(), 1);
  }
  ~FakeGnuplot() { ::setenv("PATH", before_.c_str(), 1); }

 private:
  testing::TemporaryFolder folder_;
  std::string before_;
};

std::string error_of(const std::string& script) {
  try {
    run_gnuplot(script);
  } catch (const PlotError& error) {
    return error.what();
  }
  return "no error";
}

TEST(GnuplotProcess, GivesTheImage) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const std::string png = run_gnuplot(gnuplot_terminal(ImageFormat::png, 300, 200) + "plot x\n");
  EXPECT_EQ(png.substr(16, 8), std::string("\0\0\x01\x2c\0\0\0\xc8", 8));
}

TEST(GnuplotProcess, TextHoldsNothingThatGnuplotWouldRead) {
  const std::string text = gnuplot_text("a`b\"c'd$e@f\\g\nh 1%");
  EXPECT_EQ(text.front(), '"');
  EXPECT_EQ(text.back(), '"');
  const std::string inside = text.substr(1, text.size() - 2);
  EXPECT_EQ(inside.find_first_of("`\"'$@%\n"), std::string::npos);
  EXPECT_EQ(gnuplot_text("1%"), "\"\\061\\045\"");
}

TEST(GnuplotProcess, MissingProgramIsNamed) {
  const FakeGnuplot none;
  EXPECT_EQ(error_of("plot x\n"),
            "gnuplot is not installed (Debian: gnuplot-nox); no plot was drawn");
}

TEST(GnuplotProcess, AChildThatCouldNotStartIsAMissingProgram) {
  const FakeGnuplot silent("exit 127\n");
  EXPECT_EQ(error_of("plot x\n"),
            "gnuplot is not installed (Debian: gnuplot-nox); no plot was drawn");
  const FakeGnuplot talking("echo 'libcairo.so.2: cannot open' >&2; exit 127\n");
  EXPECT_EQ(error_of("plot x\n"), "gnuplot failed with status 127: libcairo.so.2: cannot open");
}

TEST(GnuplotProcess, FailureGivesStatusAndLastMessage) {
  const FakeGnuplot failing(
      "echo first >&2; echo 'line 3: no such terminal' >&2; echo half; exit 3\n");
  EXPECT_EQ(error_of("plot x\n"), "gnuplot failed with status 3: line 3: no such terminal");
}

TEST(GnuplotProcess, SilenceIsAFailureToo) {
  const FakeGnuplot silent("exit 0\n");
  EXPECT_EQ(error_of("plot x\n"), "gnuplot drew nothing: no message");
}

TEST(GnuplotProcess, AKilledProgramIsReported) {
  const FakeGnuplot killed("kill -9 $$\n");
  EXPECT_EQ(error_of("plot x\n"), "gnuplot was killed by signal 9");
}

TEST(GnuplotProcess, AProgramThatReadsNothingDoesNotBlock) {
  const FakeGnuplot deaf("exit 1\n");
  EXPECT_EQ(error_of(std::string(1 << 21, ' ')), "gnuplot failed with status 1: no message");
}

}  // namespace
}  // namespace edgeprune
