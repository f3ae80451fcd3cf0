#include "tools/report/pictures.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/paths.h"
#include "tests/support/require_gnuplot.h"
#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;
using testing::sample_study;
using testing::TemporaryFolder;

std::vector<std::string> names(const std::vector<RunRecord>& runs) {
  const Results results(runs);
  std::vector<std::string> found;
  for (const Picture& one : pictures(results)) found.push_back(one.name);
  return found;
}

TEST(Pictures, AreThoseTheRowsHaveTheDataFor) {
  EXPECT_EQ(names(sample_study()),
            (std::vector<std::string>{"accuracy", "latency", "nonzero_parameters", "pareto",
                                      "layers", "curves"}));
  RunRecord run = sample_run("none", "none", 0, 0.9);
  run.latency.clear();
  run.curve.clear();
  EXPECT_EQ(names({run}), (std::vector<std::string>{"accuracy", "nonzero_parameters"}));
}

TEST(Pictures, AreWrittenAsSvgAndPng) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const std::vector<std::vector<RunRecord>> studies = {
      sample_study(), {sample_run("none", "none", 0, 0.9)}, {sample_run("other", "odd", 0.5, 0.7)}};
  for (const auto& runs : studies) {
    const TemporaryFolder folder;
    const Results results(runs);
    const std::vector<DrawnPicture> drawn = write_pictures(results, folder.path());
    for (const DrawnPicture& one : drawn) {
      const std::vector<char> svg = read_file(folder.file(one.name + ".svg"));
      EXPECT_EQ(std::string(svg.begin(), svg.end()), one.svg);
      EXPECT_NE(one.svg.find("</svg>"), std::string::npos);
      EXPECT_GT(read_file(folder.file(one.name + ".png")).size(), 5000u) << one.name;
    }
    const auto files = std::filesystem::directory_iterator(folder.path());
    EXPECT_EQ(std::distance(begin(files), end(files)), 2 * std::ptrdiff_t(drawn.size()));
  }
}

TEST(Pictures, NoRunsOrNoFolderIsAnError) {
  EXPECT_THROW(pictures(Results({})), std::invalid_argument);
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const TemporaryFolder folder;
  EXPECT_THROW(write_pictures(Results(sample_study()), folder.file("missing")), FileError);
}

}  // namespace
}  // namespace edgeprune
