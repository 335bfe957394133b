// The HTTP server of 'seminar serve': POST /rank (apps/serve/ranking.h), GET /healthz, GET /metrics in Prometheus' text
// format, GET / a page. Everything that a client can make long or large has a limit.
#pragma once

#include <functional>
#include <string>

#include "apps/serve/ranking.h"

namespace seminar {

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 8080;       ///< 0: one that is free
  std::string token;          ///< of `Authorization: Bearer`; empty: everybody may ask
  std::string page;           ///< HTML that GET / answers; empty: 404
  int64_t history = 0;        ///< behaviours that are kept of a user (0: as exported)
  int64_t threads = 2;        ///< that answer
  int64_t connections = 256;  ///< at once; the next one gets 503
  int64_t body = 1 << 20;     ///< bytes of a request's body
  double seconds = 10;        ///< for a whole request to come, and for its answer to go
  RankingLimits limits{1000, 100000};
};

/// Serves until SIGINT or SIGTERM, then finishes what has begun; a second signal ends at once. `listening` is told the
/// port. Throws Error if the address cannot be listened on.
void serve(const seminar_model* model, const ServerOptions& options,
           const std::function<void(uint16_t port)>& listening);

/// Whether the address is of this machine only.
bool is_loopback(const std::string& address);

}  // namespace seminar
