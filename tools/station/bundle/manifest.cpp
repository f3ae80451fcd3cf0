#include "tools/station/bundle/manifest.h"

#include <algorithm>
#include <limits>
#include <span>

#include "engine/base/printable.h"
#include "engine/base/strict_json.h"

namespace edgeprune::station {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kBundleFormat = "edgeprune-bundle/1";
constexpr int64_t kMostCounter = std::numeric_limits<int64_t>::max();
constexpr int64_t kMostImages = int64_t{1} << 40;
constexpr int64_t kMostInputSize = 16384;
constexpr double kMostFloat = std::numeric_limits<float>::max();
constexpr size_t kMostClasses = 1000;
constexpr size_t kSha256Digits = 64;

/// A StrictObject none of whose keys may be missing.
class Required {
 public:
  explicit Required(StrictObject json) : json_(std::move(json)) {}
  template <typename... Arguments>
  void get(const char* key, Arguments&&... arguments) {
    json_.require_key(key);
    json_.get(key, std::forward<Arguments>(arguments)...);
  }
  template <typename T, typename Parse>
  void get_parsed(const char* key, T& value, const Parse& parse) {
    json_.require_key(key);
    json_.get_parsed(key, value, parse);
  }
  void get_share(const char* key, double& value) {
    json_.require_key(key);
    json_.get(key, value, -std::numeric_limits<double>::infinity(),
              std::numeric_limits<double>::infinity());
    if (value < 0 || value > 1)
      fail(key, fmt::format("expected a number from 0 to 1, got {}", value));
  }
  void get_three(const char* key, std::array<float, 3>& value, double least) {
    std::vector<float> three;
    json_.require_key(key);
    json_.get_three(key, three, least, kMostFloat);
    std::copy_n(three.begin(), value.size(), value.begin());
  }
  void get_numbers(const char* key, std::vector<float>& value, size_t count) {
    json_.require_key(key);
    json_.get_numbers(key, value, -kMostFloat, kMostFloat, kMostClasses);
    if (value.size() != count)
      fail(key, fmt::format("expected {} numbers, got {}", count, value.size()));
  }
  Required object(const char* key) {
    json_.require_key(key);
    return Required(json_.object(key));
  }
  std::vector<Required> list(const char* key) {
    json_.require_key(key);
    std::vector<Required> all;
    for (StrictObject& one : json_.list(key)) all.emplace_back(std::move(one));
    return all;
  }
  bool has(const char* key) const { return json_.has(key); }
  [[noreturn]] void fail(const char* key, const std::string& message) const {
    json_.fail(key, message);
  }
  void finish() const { json_.finish(); }

 private:
  StrictObject json_;
};

Gate parse_gate(Required json) {
  Gate gate;
  json.get_share("required", gate.required);
  json.get_share("found", gate.found);
  json.finish();
  return gate;
}

void parse_preprocessing(Required json, Manifest& manifest) {
  json.get("input_size", manifest.input_size, 1, kMostInputSize);
  json.get_parsed("resize", manifest.resize,
                  [](const std::string& name) { return parse_resize(name); });
  json.get_three("mean", manifest.mean, -kMostFloat);
  json.get_three("std", manifest.std, 0);
  json.finish();
}

void parse_golden(Required json, Manifest& manifest) {
  double tolerance = 0;
  json.get_parsed("engine", manifest.engine,
                  [](const std::string& name) { return inference::parse_engine(name); });
  json.get("tolerance", tolerance, -1e-30, kMostFloat);
  manifest.tolerance = static_cast<float>(tolerance);
  for (Required& one : json.list("inputs")) {
    GoldenEntry entry;
    one.get("file", entry.file);
    one.get_numbers("logits", entry.logits, manifest.classes.size());
    one.finish();
    manifest.golden.push_back(std::move(entry));
  }
  json.finish();
}

void parse_gates(Required json, Manifest& manifest) {
  json.get("data", manifest.gate_data);
  json.get("images", manifest.gate_images, 1, kMostImages);
  manifest.accuracy = parse_gate(json.object("accuracy"));
  if (json.has("recalls")) {
    for (Required& one : json.list("recalls")) {
      RecallGate gate;
      one.get("class", gate.name);
      one.get("images", gate.images, 1, kMostImages);
      one.get_share("required", gate.recall.required);
      one.get_share("found", gate.recall.found);
      one.finish();
      if (std::ranges::count(manifest.classes, gate.name) == 0)
        one.fail("class", "unknown: " + printable(gate.name));
      manifest.recalls.push_back(std::move(gate));
    }
  }
  json.finish();
}

Json json_of(const Gate& gate) {
  return {{"required", gate.required}, {"found", gate.found}};
}

/// As the shortest decimals that read as the same floats.
Json numbers(std::span<const float> values) {
  Json all = Json::array();
  for (const float value : values) all.push_back(std::stod(fmt::format("{}", value)));
  return all;
}

}  // namespace

Manifest parse_manifest(std::string_view text, const std::string& source) {
  Required json(StrictObject(parse_json(text, source), source));
  Manifest manifest;
  std::string format;
  json.get("format", format);
  if (format != kBundleFormat)
    json.fail("format", fmt::format("expected {}, got {}", kBundleFormat, printable(format)));
  json.get("product", manifest.product);
  json.get("counter", manifest.counter, 1, kMostCounter);
  json.get("created", manifest.created);
  json.get("classes", manifest.classes);
  parse_preprocessing(json.object("preprocessing"), manifest);
  parse_golden(json.object("golden"), manifest);
  parse_gates(json.object("gates"), manifest);
  for (Required& one : json.list("files")) {
    FileEntry entry;
    one.get("name", entry.name);
    one.get("sha256", entry.sha256);
    one.get("bytes", entry.bytes, 0, kMostCounter);
    one.finish();
    if (entry.sha256.size() != kSha256Digits) one.fail("sha256", "expected 64 digits");
    manifest.files.push_back(std::move(entry));
  }
  json.finish();
  return manifest;
}

std::string manifest_text(const Manifest& manifest) {
  Json inputs = Json::array(), recalls = Json::array(), files = Json::array();
  for (const GoldenEntry& one : manifest.golden) {
    inputs.push_back({{"file", one.file}, {"logits", numbers(one.logits)}});
  }
  for (const RecallGate& one : manifest.recalls) {
    recalls.push_back({{"class", one.name},
                       {"images", one.images},
                       {"required", one.recall.required},
                       {"found", one.recall.found}});
  }
  for (const FileEntry& one : manifest.files) {
    files.push_back({{"name", one.name}, {"sha256", one.sha256}, {"bytes", one.bytes}});
  }
  Json gates = {{"data", manifest.gate_data},
                {"images", manifest.gate_images},
                {"accuracy", json_of(manifest.accuracy)}};
  if (!recalls.empty()) gates["recalls"] = std::move(recalls);
  Json json = {{"format", kBundleFormat},
               {"product", manifest.product},
               {"counter", manifest.counter},
               {"created", manifest.created},
               {"classes", manifest.classes}};
  json["preprocessing"] = {{"input_size", manifest.input_size},
                           {"resize", to_string(manifest.resize)},
                           {"mean", numbers(manifest.mean)},
                           {"std", numbers(manifest.std)}};
  json["golden"] = {{"engine", inference::to_string(manifest.engine)},
                    {"tolerance", std::stod(fmt::format("{}", manifest.tolerance))},
                    {"inputs", std::move(inputs)}};
  json["gates"] = std::move(gates);
  json["files"] = std::move(files);
  return json_text(json, 1) + "\n";
}

}  // namespace edgeprune::station
