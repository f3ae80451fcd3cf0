#include "tools/station/health/text.h"

#include <fmt/format.h>

#include <string_view>

#include "engine/base/json.h"

namespace edgeprune::station {
namespace {

constexpr double kPercentiles[] = {50, 90, 99, 99.9};

/// Of a label's value, as the format has it.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    if (c != '\n') out += c;
  }
  return out;
}

class Metrics {
 public:
  void head(std::string_view name, std::string_view type, std::string_view help) {
    name_ = fmt::format("edgeprune_station_{}", name);
    text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name_, type, help);
  }
  template <typename Value>
  void value(Value value, const std::string& labels = "", std::string_view suffix = "") {
    text_ +=
        fmt::format("{}{}{} {}\n", name_, suffix, labels.empty() ? "" : "{" + labels + "}", value);
  }
  template <typename Value>
  void one(std::string_view name, std::string_view type, std::string_view help, Value value) {
    head(name, type, help);
    this->value(value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string name_, text_;
};

void add_items(const Totals& totals, Metrics& metrics) {
  metrics.head("items_total", "counter", "Items by verdict.");
  for (const auto& verdict : kVerdicts) {
    metrics.value(totals.of(verdict.value), fmt::format("verdict=\"{}\"", verdict.name));
  }
  metrics.head("decisions_total", "counter", "Items by the reason of their verdict.");
  for (const auto& reason : kReasons) {
    metrics.value(totals.of(reason.value), fmt::format("reason=\"{}\"", reason.name));
  }
  metrics.one("unanswered_total", "counter", "Items whose verdict the PLC never confirmed.",
              totals.unanswered);
  metrics.one("second_model_total", "counter", "Items that the second model was asked about.",
              totals.asked_second);
}

void add_stages(const Totals& totals, Metrics& metrics) {
  metrics.head("stage_seconds", "summary", "Durations of the parts of an item's way.");
  for (const auto& stage : kStages) {
    const Durations& durations = totals.of(stage.value);
    const std::string label = fmt::format("stage=\"{}\"", stage.name);
    for (const double percent : kPercentiles) {
      metrics.value(durations.percentile_ms(percent) / 1000,
                    fmt::format("{},quantile=\"{:g}\"", label, percent / 100));
    }
    metrics.value(durations.mean_ms() / 1000 * static_cast<double>(durations.count()), label,
                  "_sum");
    metrics.value(durations.count(), label, "_count");
  }
}

void add_peers(const Snapshot& s, Metrics& metrics) {
  metrics.one("camera_connected", "gauge", "1 while the camera answers.", int(s.camera_connected));
  metrics.one("camera_frames_total", "counter", "Whole images.", s.camera.frames);
  metrics.one("camera_incomplete_total", "counter", "Images thrown away because parts were lost.",
              s.camera.incomplete);
  metrics.one("camera_stale_total", "counter",
              "Images thrown away because they were of an earlier trigger.", s.camera.stale);
  metrics.one("camera_lost_total", "counter", "Gaps in the camera's numbers.", s.camera.lost);
  metrics.one("camera_reconnects_total", "counter", "Times that the camera was found again.",
              s.camera.reconnects);
  metrics.one("plc_connected", "gauge", "1 while the PLC answers.", int(s.plc_connected));
  metrics.one("plc_triggers_total", "counter", "Triggers seen.", s.plc.triggers);
  metrics.one("plc_missed_total", "counter",
              "Triggers that the PLC counted and the station never saw.", s.plc.missed);
  metrics.one("plc_overruns_total", "counter", "Triggers while the station was not ready.",
              s.plc.overruns);
  metrics.one("plc_answers_total", "counter", "Verdicts that the PLC confirmed.", s.plc.answers);
  metrics.one("plc_late_total", "counter", "Verdicts dropped after their deadline.", s.plc.late);
  metrics.one("plc_reconnects_total", "counter", "Times that the PLC was connected again.",
              s.plc.reconnects);
  metrics.one("plc_lost_heartbeats_total", "counter", "Times that the PLC's heartbeat stood still.",
              s.plc.lost_heartbeats);
}

void add_drift(const Snapshot& s, Metrics& metrics) {
  metrics.head("drift_level", "gauge", "Evidence for a drift; at 1 there is an alarm.");
  for (const DriftState& state : s.drift)
    metrics.value(state.level, fmt::format("quantity=\"{}\"", state.name));
  metrics.head("drift_effect", "gauge",
               "Its size: standard deviations of the reference; shift: pixels of 64.");
  for (const DriftState& state : s.drift)
    metrics.value(state.effect, fmt::format("quantity=\"{}\"", state.name));
  metrics.head("drift_alarms_total", "counter", "Alarms.");
  for (const DriftState& state : s.drift)
    metrics.value(state.alarms, fmt::format("quantity=\"{}\"", state.name));
}

nlohmann::ordered_json json_of(const Seen& seen, const Snapshot& snapshot) {
  const Record& record = seen.record;
  const int label = record.decision.label;
  nlohmann::ordered_json json{{"number", seen.number},
                              {"epoch", record.id.epoch},
                              {"trigger", record.id.trigger},
                              {"utc_ns", record.utc_ns},
                              {"verdict", name_of(kVerdicts, record.decision.verdict)},
                              {"reason", name_of(kReasons, record.decision.reason)},
                              {"confidence", record.decision.confidence},
                              {"image", seen.image != nullptr}};
  const bool known = label >= 0 && static_cast<size_t>(label) < snapshot.classes.size();
  json["class"] = known ? nlohmann::ordered_json(snapshot.classes[static_cast<size_t>(label)])
                        : nlohmann::ordered_json();
  if (record.stamps.answered) {
    json["ms"] =
        std::chrono::duration<double, std::milli>(*record.stamps.answered - record.stamps.trigger)
            .count();
  } else {
    json["ms"] = nullptr;
  }
  return json;
}

}  // namespace

std::string metrics_text(const Snapshot& s) {
  Metrics metrics;
  metrics.head("info", "gauge", "What the station runs.");
  metrics.value(1, fmt::format("station=\"{}\",model=\"{}\",engine=\"{}\"", escaped(s.name),
                               escaped(s.model), escaped(s.engine)));
  metrics.one("uptime_seconds", "gauge", "Since the start.", s.uptime_seconds);
  metrics.one("state", "gauge", "By the numbers of the PLC's register.", static_cast<int>(s.state));
  metrics.one("deadline_seconds", "gauge", "From a trigger until the PLC must have the verdict.",
              s.deadline_ms / 1000);
  metrics.one("deployment_phase", "gauge", "Of a new model: 0 settled, 1 shadow, 2 watched.",
              static_cast<int>(s.phase));
  metrics.one("queue_images", "gauge", "Images that wait for the network.", s.queue);
  add_items(s.totals, metrics);
  add_stages(s.totals, metrics);
  add_peers(s, metrics);
  metrics.one("journal_committed_total", "counter", "Records in the journal since the start.",
              s.journal.committed);
  metrics.one("journal_lost_total", "counter", "Records that could not be written.",
              s.journal.lost);
  metrics.one("journal_images_total", "counter", "Images kept.", s.journal.images);
  metrics.one("journal_images_not_stored_total", "counter", "Images for which there was no room.",
              s.journal.not_stored);
  metrics.one("journal_unaudited_total", "counter",
              "Images that went without a line in the audit log.", s.journal.unaudited);
  if (!s.drift.empty()) add_drift(s, metrics);
  return metrics.take();
}

std::string status_json(const Snapshot& s) {
  auto verdicts = nlohmann::ordered_json::array(), reasons = verdicts, stages = verdicts,
       drift = verdicts, last = verdicts;
  for (const auto& row : kVerdicts)
    verdicts.push_back({{"verdict", row.name}, {"items", s.totals.of(row.value)}});
  for (const auto& row : kReasons)
    reasons.push_back({{"reason", row.name}, {"items", s.totals.of(row.value)}});
  for (const auto& row : kStages) {
    const Durations& durations = s.totals.of(row.value);
    stages.push_back({{"stage", row.name},
                      {"meaning", row.meaning},
                      {"items", durations.count()},
                      {"median_ms", durations.percentile_ms(50)},
                      {"p99_ms", durations.percentile_ms(99)},
                      {"max_ms", durations.max_ms()}});
  }
  for (const DriftState& state : s.drift) {
    drift.push_back({{"quantity", state.name},
                     {"level", state.level},
                     {"effect", state.effect},
                     {"alarms", state.alarms}});
  }
  for (const Seen& seen : s.last) last.push_back(json_of(seen, s));
  const nlohmann::ordered_json json{{"name", s.name},
                                    {"model", s.model},
                                    {"engine", s.engine},
                                    {"state", name_of(kStates, s.state)},
                                    {"healthy", s.healthy()},
                                    {"uptime_seconds", s.uptime_seconds},
                                    {"deadline_ms", s.deadline_ms},
                                    {"queue", s.queue},
                                    {"items", s.totals.items},
                                    {"unanswered", s.totals.unanswered},
                                    {"camera",
                                     {{"connected", s.camera_connected},
                                      {"frames", s.camera.frames},
                                      {"incomplete", s.camera.incomplete},
                                      {"stale", s.camera.stale},
                                      {"lost", s.camera.lost},
                                      {"reconnects", s.camera.reconnects}}},
                                    {"plc",
                                     {{"connected", s.plc_connected},
                                      {"triggers", s.plc.triggers},
                                      {"missed", s.plc.missed},
                                      {"overruns", s.plc.overruns},
                                      {"late", s.plc.late},
                                      {"reconnects", s.plc.reconnects},
                                      {"lost_heartbeats", s.plc.lost_heartbeats}}},
                                    {"verdicts", verdicts},
                                    {"reasons", reasons},
                                    {"journal",
                                     {{"committed", s.journal.committed},
                                      {"lost", s.journal.lost},
                                      {"images", s.journal.images},
                                      {"not_stored", s.journal.not_stored}}},
                                    {"stages", stages},
                                    {"phase", name_of(kPhases, s.phase)},
                                    {"phase_items", s.phase_items},
                                    {"phase_disagreements", s.phase_disagreements},
                                    {"drift", drift},
                                    {"drift_alarm", s.drift_alarm},
                                    {"last", last}};
  return json_text(json);
}

std::string health_text(const Snapshot& s) {
  if (s.healthy()) return "ok\n";
  std::string text;
  if (!s.camera_connected) text += "the camera does not answer\n";
  if (!s.plc_connected) text += "the PLC does not answer\n";
  if (s.state != State::executing)
    text += fmt::format("the station is {}\n", name_of(kStates, s.state));
  return text;
}

std::string bitmap(const Image& image) {
  const size_t row = (size_t{3} * static_cast<size_t>(image.width) + 3) / 4 * 4;
  const size_t bytes = row * static_cast<size_t>(image.height);
  std::string file(54 + bytes, '\0');
  const auto put = [&](size_t at, uint32_t value, int count) {
    for (int i = 0; i < count; ++i)
      file[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i) & 0xff);
  };
  file[0] = 'B';
  file[1] = 'M';
  put(2, static_cast<uint32_t>(file.size()), 4);
  put(10, 54, 4);
  put(14, 40, 4);
  put(18, static_cast<uint32_t>(image.width), 4);
  put(22, static_cast<uint32_t>(image.height), 4);
  put(26, 1, 2);
  put(28, 24, 2);
  for (int y = 0; y < image.height; ++y) {  // the last row first, blue before red
    char* to = file.data() + 54 + static_cast<size_t>(image.height - 1 - y) * row;
    const uint8_t* from =
        image.rgb.data() + static_cast<size_t>(y) * static_cast<size_t>(image.width) * 3;
    for (int x = 0; x < image.width; ++x, to += 3, from += 3) {
      to[0] = static_cast<char>(from[2]);
      to[1] = static_cast<char>(from[1]);
      to[2] = static_cast<char>(from[0]);
    }
  }
  return file;
}

}  // namespace edgeprune::station
