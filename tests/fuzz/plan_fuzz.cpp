// A study's plan, and the steps it comes to.

#include "tests/fuzz/fuzz.h"
#include "tools/study/plan_file.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::text_of(data, size));
  return fuzz::expect_read_or_refused("plan.json", [&] { read_plan(text, "plan.json"); });
}
