#include "tools/station/bundle/counters.h"

#include <filesystem>
#include <limits>

#include "engine/base/file.h"
#include "engine/base/strict_json.h"

namespace edgeprune::station {
namespace {

constexpr const char* kCountersFormat = "edgeprune-counters/1";

}  // namespace

Counters read_counters(const std::string& path) {
  if (!std::filesystem::exists(path)) return {};
  const std::vector<char> text = read_file(path);
  StrictObject json(parse_json({text.data(), text.size()}, path), path);
  std::string format;
  json.get("format", format);
  if (format != kCountersFormat) json.fail("format", std::string("expected ") + kCountersFormat);
  Counters counters;
  json.require_key("accepted");
  for (StrictObject& one : json.list("accepted")) {
    std::string product;
    int64_t counter = 0;
    one.require_key("product");
    one.get("product", product);
    one.require_key("counter");
    one.get("counter", counter, 1, std::numeric_limits<int64_t>::max());
    one.finish();
    if (!counters.emplace(product, counter).second) one.fail("product", "is there twice");
  }
  json.finish();
  return counters;
}

void write_counters(const std::string& path, const Counters& counters) {
  nlohmann::ordered_json accepted = nlohmann::ordered_json::array();
  for (const auto& [product, counter] : counters) {
    accepted.push_back({{"product", product}, {"counter", counter}});
  }
  const nlohmann::ordered_json json = {{"format", kCountersFormat},
                                       {"accepted", std::move(accepted)}};
  write_file_atomically(path, json_text(json, 1) + "\n");
}

}  // namespace edgeprune::station
