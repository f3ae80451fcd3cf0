#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "data/image.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tools/station/health/server.h"
#include "tools/station/health/text.h"

namespace edgeprune::station {
namespace {

using namespace std::chrono_literals;
using edgeprune::testing::message_of;
using edgeprune::testing::TemporaryFolder;
using ::testing::HasSubstr;

Snapshot sample() {
  Snapshot s;
  s.name = "line \"1\"\n";
  s.engine = "auto";
  s.model = "0123456789abcdef";
  s.classes = {"good", "<b>bad</b>"};
  s.deadline_ms = 80;
  s.state = State::executing;
  s.camera_connected = s.plc_connected = true;
  s.totals.items = 3;
  s.totals.verdicts = {2, 1, 0};
  s.totals.reasons[0] = 3;
  s.totals.stages[static_cast<size_t>(Stage::whole)].add(3ms);
  s.camera.frames = 3;
  Seen seen;
  seen.number = 7;
  seen.record.id = {2, 65535};
  seen.record.decision = {Verdict::reject, Reason::confident, 1, 0.75f};
  seen.image = std::make_shared<Image>(Image{2, 1, {1, 2, 3, 4, 5, 6}});
  s.last = {seen};
  return s;
}

struct Answer {
  long status = 0;
  std::string body, type;
};

/// What a client that is not ours gets.
Answer get(int port, const std::string& path, const char* method = "GET") {
  Answer answer;
  CURL* curl = curl_easy_init();
  const std::string url = fmt::format("http://127.0.0.1:{}{}", port, path);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(
      curl, CURLOPT_WRITEFUNCTION, +[](char* data, size_t size, size_t count, std::string* to) {
        to->append(data, size * count);
        return size * count;
      });
  EXPECT_EQ(curl_easy_perform(curl), CURLE_OK) << path;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  char* type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
  if (type != nullptr) answer.type = type;
  curl_easy_cleanup(curl);
  return answer;
}

TEST(Health, PrometheusOwnCheckerFindsNothingInTheMetrics) {
  if (std::system("command -v promtool >/dev/null") != 0) GTEST_SKIP() << "needs promtool";
  const TemporaryFolder folder;
  write_file_atomically(folder.file("metrics"), metrics_text(sample()));
  EXPECT_EQ(std::system(fmt::format("promtool check metrics <{}", folder.file("metrics")).c_str()),
            0);
}

TEST(Health, MetricsSayWhatIsCounted) {
  const std::string text = metrics_text(sample());
  EXPECT_THAT(text, HasSubstr("edgeprune_station_items_total{verdict=\"ok\"} 2\n"));
  EXPECT_THAT(
      text,
      HasSubstr("edgeprune_station_stage_seconds{stage=\"whole\",quantile=\"0.99\"} 0.003\n"));
  EXPECT_THAT(text, HasSubstr("station=\"line \\\"1\\\"\\n\""));
  EXPECT_THAT(text, HasSubstr("edgeprune_station_camera_frames_total 3\n"));
}

TEST(Health, TheServerAnswersWhatIsAsked) {
  Snapshot now = sample();
  const HealthServer server("127.0.0.1", 0, [&] { return now; });
  EXPECT_EQ(get(server.port(), "/healthz").status, 200);
  EXPECT_EQ(get(server.port(), "/healthz").body, "ok\n");
  const Answer status = get(server.port(), "/status.json");
  EXPECT_EQ(status.type, "application/json");
  const auto json = parse_json(status.body, "status.json");
  EXPECT_EQ(json["name"], "line \"1\"\n");
  EXPECT_EQ(json["last"][0]["trigger"], 65535);
  EXPECT_EQ(json["last"][0]["class"], "<b>bad</b>");
  EXPECT_EQ(get(server.port(), "/metrics").body, metrics_text(now));
  EXPECT_THAT(get(server.port(), "/").body, HasSubstr("<title>Inspection station</title>"));
  EXPECT_EQ(get(server.port(), "/none").status, 404);
  EXPECT_EQ(get(server.port(), "/image/8").status, 404);
  EXPECT_EQ(get(server.port(), "/image/7x").status, 404);
  EXPECT_EQ(get(server.port(), "/", "POST").status, 405);
  now.camera_connected = false;
  now.state = State::error;
  EXPECT_EQ(get(server.port(), "/healthz").status, 503);
  EXPECT_EQ(get(server.port(), "/healthz").body,
            "the camera does not answer\nthe station is Error\n");
}

TEST(Health, AnItemsImageIsOneThatOthersRead) {
  const TemporaryFolder folder;
  const Snapshot now = sample();
  const HealthServer server("127.0.0.1", 0, [&] { return now; });
  const Answer image = get(server.port(), "/image/7");
  EXPECT_EQ(image.type, "image/bmp");
  write_file_atomically(folder.file("7.bmp"), image.body);
  EXPECT_EQ(read_image(folder.file("7.bmp")), *now.last[0].image);
}

TEST(Health, ListensOnLoopbackAloneAndOnlyOnce) {
  const auto refusal = [](const std::string& address, int port) {
    return message_of<FileError>([&] { HealthServer(address, port, sample); });
  };
  EXPECT_THAT(refusal("0.0.0.0", 0), HasSubstr("expected an address of loopback"));
  EXPECT_THAT(refusal("line1", 0), HasSubstr("expected an address of loopback"));
  const HealthServer server("127.0.0.1", 0, sample);
  EXPECT_THAT(refusal("127.0.0.1", server.port()), HasSubstr("cannot be listened on"));
}

}  // namespace
}  // namespace edgeprune::station
