#include "engine/inference/engine.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace edgeprune::inference {
namespace {

TEST(Engine, NamesAreParsed) {
  const std::vector<std::string> names = names_of(kEngines);
  EXPECT_EQ(names,
            (std::vector<std::string>{"dense", "sparse", "auto", "onednn", "int8", "int8-sparse"}));
  for (const std::string& name : names) EXPECT_EQ(to_string(parse_engine(name)), name);
  try {
    parse_engine("int4");
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "[engine] expected dense, sparse, auto, onednn, int8 or int8-sparse, got 'int4'");
  }
}

}  // namespace
}  // namespace edgeprune::inference
