#include "tools/station/config/config.h"

#include <filesystem>
#include <utility>

#include "engine/base/file.h"
#include "engine/base/strict_json.h"

namespace edgeprune::station {
namespace {

namespace fs = std::filesystem;

constexpr double kLeastDeadlineMs = 1, kMostDeadlineMs = 60000;

std::string in_folder(const std::string& folder, const std::string& path) {
  return path.empty() ? path : (fs::path(folder) / path).string();
}

std::chrono::nanoseconds from_ms(double ms) {
  return std::chrono::nanoseconds(std::llround(ms * 1e6));
}

ModelConfig read_model(StrictObject& json, const std::string& folder) {
  ModelConfig config;
  const bool bundle = json.has("bundle");
  if (bundle == json.has("model"))
    json.fail("model", "expected either model and policy, or bundle, root_key and product");
  const auto path = [&](const char* key, std::string& to) {
    json.require_key(key);
    json.get(key, to);
    to = in_folder(folder, to);
  };
  if (bundle) {
    path("bundle", config.bundle);
    path("root_key", config.root_key);
    json.require_key("product");
    json.get("product", config.product);
    config.counters = "counters.json";
    json.get("counters", config.counters);
    config.counters = in_folder(folder, config.counters);
  } else {
    path("model", config.model);
    path("policy", config.policy);
  }
  json.get_parsed("engine", config.engine,
                  [](const std::string& name) { return inference::parse_engine(name); });
  json.get("threads", config.threads, 1, 1024);
  return config;
}

CameraConfig read_camera(StrictObject json, const std::string& folder) {
  CameraConfig config;
  if (json.has("folder") == json.has("gige"))
    json.fail("folder", "expected either a folder of images or gige, a camera's name");
  json.get("folder", config.folder);
  config.folder = in_folder(folder, config.folder);
  if (json.has("gige")) {
    GigeOptions& gige = config.gige.emplace();
    json.get("gige", gige.name);
    json.get_parsed("pixel_format", gige.format, [](const std::string& name) {
      return value_of("pixel_format", kPixelFormats, name);
    });
    json.get("width", gige.width, 1, 16384);
    json.get("height", gige.height, 1, 16384);
    if (json.has("exposure_us")) json.get("exposure_us", gige.exposure_us.emplace(), 0, 1e7);
  }
  json.finish();
  return config;
}

PlcOptions read_plc(StrictObject json) {
  PlcOptions config;
  json.get("address", config.address);
  json.get("port", config.port, 1, 65535);
  json.get("unit", config.unit, 0, 247);
  double cycle_ms = 1;
  json.get("cycle_ms", cycle_ms, 0, 100);
  config.cycle = std::chrono::microseconds(std::llround(cycle_ms * 1000));
  json.finish();
  return config;
}

/// Deadline = distance / speed - what the actuator takes.
double deadline_of_belt(StrictObject json) {
  for (const char* key : {"distance_mm", "speed_mm_per_s", "actuator_ms"}) json.require_key(key);
  double distance = 0, speed = 0, actuator = 0;
  json.get("distance_mm", distance, 0, 1e6);
  json.get("speed_mm_per_s", speed, 0, 1e6);
  json.get("actuator_ms", actuator, 0, 1e6);
  json.finish();
  const double ms = distance / speed * 1000 - actuator;
  if (ms < kLeastDeadlineMs) {
    json.fail("distance_mm",
              fmt::format("an item is at the diverter after {:g} ms, and the actuator takes {:g}: "
                          "{:g} ms are left, expected {:g} at least",
                          distance / speed * 1000, actuator, ms, kLeastDeadlineMs));
  }
  return ms;
}

std::chrono::nanoseconds read_deadline(StrictObject& json) {
  if (json.has("deadline_ms") == json.has("belt")) {
    json.fail("deadline_ms", "expected either deadline_ms or belt: how long an item may take");
  }
  if (json.has("belt")) return from_ms(deadline_of_belt(json.object("belt")));
  double ms = 0;
  json.get("deadline_ms", ms, kLeastDeadlineMs / 2, kMostDeadlineMs);
  return from_ms(ms);
}

JournalOptions read_journal(StrictObject json, const std::string& folder) {
  JournalOptions options;
  options.folder = "journal";
  int64_t megabytes = 1000, days = 30, free_megabytes = 64;
  json.get("folder", options.folder);
  json.get("sample_one_in", options.sample_one_in, 0, int64_t{1} << 40);
  json.get("image_megabytes", megabytes, 1, int64_t{1} << 30);
  json.get("image_days", days, 1, 36500);
  json.get("free_megabytes", free_megabytes, 0, int64_t{1} << 30);
  json.finish();
  options.folder = in_folder(folder, options.folder);
  options.images = {megabytes << 20, days * 86400, free_megabytes << 20};
  return options;
}

PageConfig read_page(StrictObject json) {
  PageConfig config;
  json.get("address", config.address);
  json.get("port", config.port, 0, 65535);
  json.finish();
  return config;
}

DeploymentOptions read_deployment(StrictObject json) {
  DeploymentOptions options;
  json.get("shadow_items", options.shadow_items, 1, int64_t{1} << 40);
  json.get("watched_items", options.watched_items, 1, int64_t{1} << 40);
  json.get("most_disagreement", options.most_disagreement, 0, 1);
  json.get("most_late", options.most_late, 0, 1);
  json.finish();
  return options;
}

}  // namespace

StationConfig parse_config(std::string_view text, const std::string& source,
                           const std::string& folder) {
  StrictObject json(parse_json(text, source), source);
  StationConfig config;
  json.get("name", config.name);
  config.first = read_model(json, folder);
  if (json.has("second")) {
    StrictObject second = json.object("second");
    config.second = read_model(second, folder);
    second.finish();
  }
  json.require_key("camera");
  config.camera = read_camera(json.object("camera"), folder);
  config.plc = read_plc(json.object("plc"));
  config.deadline = read_deadline(json);
  json.get("queue", config.queue, 1, 1000);
  config.journal = read_journal(json.object("journal"), folder);
  json.get("drift", config.drift);
  config.drift = in_folder(folder, config.drift);
  config.page = read_page(json.object("page"));
  config.deployment = read_deployment(json.object("deployment"));
  json.finish();
  return config;
}

StationConfig read_config(const std::string& path) {
  const std::vector<char> text = read_file(path);
  return parse_config({text.data(), text.size()}, path, fs::path(path).parent_path().string());
}

}  // namespace edgeprune::station
