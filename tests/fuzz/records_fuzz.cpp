// The rows of a study: what is read is what would be written.

#include "engine/base/json.h"
#include "tests/fuzz/fuzz.h"
#include "tools/study/records.h"

using namespace edgeprune;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::feed(data, size, [](const std::string& path) {
    for (const RunRecord& record : read_records(path)) {
      const nlohmann::json json = record;
      if (nlohmann::json(json.get<RunRecord>()) != json) std::abort();
    }
  });
}
