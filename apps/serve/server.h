// The HTTP server of 'seminar serve': POST /rank (apps/serve/ranking.h), GET /healthz, GET /metrics in Prometheus' text
// format, GET / a page. One thread reads and writes; a pool ranks. Everything that a client can make long or large has
// a limit.
#pragma once

#include <functional>
#include <string>

#include "apps/serve/work_pool.h"

namespace seminar {

/// What POST /rank answers with.
class RankingService {
 public:
  struct Reply {
    unsigned status = 200;
    std::string body = "";   ///< JSON
    std::string model = "";  ///< the checksum of the model that ranked
    int64_t candidates = 0;
    double seconds = 0;  ///< of ranking alone
  };
  virtual ~RankingService() = default;
  /// Answers a request's body. Called by several threads; must not throw.
  virtual Reply rank(const std::string& request, const Deadline& deadline) noexcept = 0;
  /// The checksum of the model that ranks now.
  virtual std::string model() const = 0;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 8080;        ///< 0: one that is free
  std::string token;           ///< of `Authorization: Bearer`; empty: everybody may ask
  std::string page;            ///< HTML that GET / answers; empty: 404
  int64_t threads = 2;         ///< that rank
  int64_t queue = 64;          ///< requests that wait for them; the next one gets 503
  int64_t connections = 256;   ///< at once; the next one gets 503
  int64_t body = 1 << 20;      ///< bytes of a request's body
  int64_t memory = 256 << 20;  ///< bytes of bodies and answers at once; who needs more gets 503
  double seconds = 10;         ///< for a whole request to come; then to be ranked; then for its answer to go
};

/// Serves until SIGINT or SIGTERM, then finishes what has begun; a second signal ends at once. `listening` is told the
/// port. SIGHUP calls `hang_up`, on a thread of its own. Throws Error if the address cannot be listened on.
void serve(RankingService& service, const ServerOptions& options, const std::function<void(uint16_t port)>& listening,
           const std::function<void()>& hang_up);

/// "localhost" becomes 127.0.0.1; throws Error for what is no IP address.
std::string listening_address(const std::string& address);
/// Whether the IP address is of this machine only.
bool is_loopback(const std::string& address);

}  // namespace seminar
