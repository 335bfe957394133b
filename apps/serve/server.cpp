#include "apps/serve/server.h"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/string.hpp>
#include <csignal>
#include <memory>

#include "apps/serve/session.h"
#include "tensor/error.h"

namespace seminar {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds moment{20};

class Server {
 public:
  Server(RankingService& service, const ServerOptions& options, const std::function<void()>& hang_up)
      : shared_(service, options),
        hang_up_(hang_up),
        acceptor_(shared_.context),
        ends_(shared_.context, SIGINT, SIGTERM),
        hang_ups_(shared_.context, SIGHUP) {}

  void listen() {
    const ServerOptions& o = shared_.options;
    error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(listening_address(o.address)), o.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    check(!error, "{} port {}: cannot listen: {}", o.address, o.port, error.message());
  }
  uint16_t port() const { return acceptor_.local_endpoint().port(); }

  void run() {
    ends_.async_wait([this](error_code error, int) {
      if (!error) stop();
    });
    wait_for_hang_up();
    accept();
    shared_.context.run();
  }

 private:
  void accept() {
    if (shared_.stopping) return;
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (shared_.stopping) return;
      if (!error) {
        welcome(std::move(socket));
        return accept();
      }
      auto pause = std::make_shared<asio::steady_timer>(shared_.context, moment);  // no descriptor is free
      pause->async_wait([this, pause](error_code) { accept(); });
    });
  }
  void welcome(tcp::socket&& socket) {
    const int64_t open = std::ssize(shared_.open), most = shared_.options.connections;
    if (open >= 2 * most) return;  // those that are being refused count as well
    const auto session = std::make_shared<Session>(std::move(socket), shared_);
    if (open < most)
      session->start();
    else
      session->refuse();
  }
  // While one is at work another may wait: it does for all that come meanwhile.
  void wait_for_hang_up() {
    hang_ups_.async_wait([this](error_code error, int) {
      if (error) return;
      reloads_.submit(hang_up_);
      wait_for_hang_up();
    });
  }
  void stop() {
    shared_.stopping = true;
    acceptor_.close(ignored_);
    hang_ups_.cancel(ignored_);
    for (Session* session : shared_.open) session->stop();
    ends_.async_wait([this](error_code error, int) {
      if (!error) shared_.context.stop();
    });
    watch_end();
  }
  // The second signal is waited for only as long as connections are open.
  void watch_end() {
    if (shared_.open.empty()) return ends_.cancel(ignored_);
    auto timer = std::make_shared<asio::steady_timer>(shared_.context, moment);
    timer->async_wait([this, timer](error_code) { watch_end(); });
  }

  SharedState shared_;
  const std::function<void()> hang_up_;
  tcp::acceptor acceptor_;
  asio::signal_set ends_, hang_ups_;
  error_code ignored_;
  WorkPool reloads_{1, 1};
};

}  // namespace

std::string listening_address(const std::string& address) {
  if (boost::beast::iequals(address, "localhost")) return "127.0.0.1";
  error_code error;
  const asio::ip::address parsed = asio::ip::make_address(address, error);
  check(!error, "--address: must be an IP address or localhost: '{}'", address);
  return parsed.to_string();
}

bool is_loopback(const std::string& address) {
  error_code error;
  const asio::ip::address parsed = asio::ip::make_address(address, error);
  return !error && parsed.is_loopback();
}

void serve(RankingService& service, const ServerOptions& options, const std::function<void(uint16_t port)>& listening,
           const std::function<void()>& hang_up) {
  Server server(service, options, hang_up);
  server.listen();
  listening(server.port());
  server.run();
}

}  // namespace seminar
