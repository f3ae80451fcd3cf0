#include "tools/station/health/server.h"

#include <arpa/inet.h>
#include <microhttpd.h>

#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "engine/base/check.h"
#include "tools/station/health/text.h"

namespace edgeprune::station {

extern const char* const kPage;

namespace {

struct Reply {
  unsigned status = MHD_HTTP_OK;
  const char* type = "text/plain; charset=utf-8";
  std::string body;
};

Reply image_reply(const Snapshot& snapshot, std::string_view number) {
  uint64_t wanted = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), wanted);
  for (const Seen& seen : snapshot.last) {
    if (error == std::errc() && end == number.data() + number.size() && seen.number == wanted &&
        seen.image) {
      return {MHD_HTTP_OK, "image/bmp", bitmap(*seen.image)};
    }
  }
  return {MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", "no image of that item is kept\n"};
}

Reply reply_to(std::string_view method, std::string_view path,
               const std::function<Snapshot()>& take) {
  if (method != "GET" && method != "HEAD")
    return {MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "GET only\n"};
  if (path == "/") return {MHD_HTTP_OK, "text/html; charset=utf-8", kPage};
  if (path == "/status.json") return {MHD_HTTP_OK, "application/json", status_json(take())};
  if (path == "/metrics")
    return {MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", metrics_text(take())};
  if (path == "/healthz") {
    const Snapshot snapshot = take();
    return {snapshot.healthy() ? MHD_HTTP_OK : static_cast<unsigned>(MHD_HTTP_SERVICE_UNAVAILABLE),
            "text/plain; charset=utf-8", health_text(snapshot)};
  }
  constexpr std::string_view kImage = "/image/";
  if (path.starts_with(kImage)) return image_reply(take(), path.substr(kImage.size()));
  return {MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", "no such page\n"};
}

MHD_Result send(MHD_Connection* connection, const Reply& reply) {
  MHD_Response* response = MHD_create_response_from_buffer(
      reply.body.size(), const_cast<char*>(reply.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, "Content-Type", reply.type);
  MHD_add_response_header(response, "Cache-Control", "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  MHD_add_response_header(response, "Content-Security-Policy",
                          "default-src 'self'; style-src 'unsafe-inline'; script-src "
                          "'unsafe-inline'; frame-ancestors 'none'");
  const MHD_Result result = MHD_queue_response(connection, reply.status, response);
  MHD_destroy_response(response);
  return result;
}

MHD_Result answer(void* take, MHD_Connection* connection, const char* url, const char* method,
                  const char*, const char*, size_t* upload, void** seen) {
  static int first;
  if (*seen == nullptr) {  // the headers are there; a body, which nobody wants, may follow
    *seen = &first;
    return MHD_YES;
  }
  if (*upload != 0) {
    *upload = 0;
    return MHD_YES;
  }
  try {
    return send(connection, reply_to(method, url, *static_cast<std::function<Snapshot()>*>(take)));
  } catch (const std::exception& error) {
    return send(connection, {MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8",
                             std::string(error.what()) + "\n"});
  }
}

}  // namespace

struct HealthServer::Inside {
  std::function<Snapshot()> take;
  MHD_Daemon* daemon = nullptr;
};

HealthServer::HealthServer(const std::string& address, int port, std::function<Snapshot()> take)
    : inside_(std::make_unique<Inside>()) {
  inside_->take = std::move(take);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<uint16_t>(port));
  const std::string name = fmt::format("{}:{}", address, port);
  require_file(inet_pton(AF_INET, address.c_str(), &where.sin_addr) == 1 &&
                   ntohl(where.sin_addr.s_addr) >> 24 == 127,
               name,
               "the page is for this machine alone: expected an address of loopback, 127.0.0.1; "
               "for others put a proxy with TLS and client certificates in front");
  inside_->daemon =
      MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, nullptr, nullptr, answer,
                       &inside_->take, MHD_OPTION_SOCK_ADDR, &where, MHD_OPTION_CONNECTION_LIMIT,
                       16u, MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
  require_file(inside_->daemon != nullptr, name, "cannot be listened on: {}", std::strerror(errno));
}

HealthServer::~HealthServer() {
  MHD_stop_daemon(inside_->daemon);
}

int HealthServer::port() const {
  return MHD_get_daemon_info(inside_->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

}  // namespace edgeprune::station
