#include "engine/inference/engine.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace edgeprune::inference {
namespace {

TEST(Engine, NamesAreParsed) {
  const std::vector<std::string> names = names_of(kEngines);
  EXPECT_EQ(names, (std::vector<std::string>{"dense", "sparse", "auto", "onednn"}));
  for (const std::string& name : names) EXPECT_EQ(to_string(parse_engine(name)), name);
  try {
    parse_engine("int8");
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[engine] expected dense, sparse, auto or onednn, got 'int8'");
  }
}

}  // namespace
}  // namespace edgeprune::inference
