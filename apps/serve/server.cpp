#include "apps/serve/server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <thread>

#include "tensor/error.h"

namespace seminar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr uint32_t max_header = 8192;
constexpr std::chrono::seconds last_words{2};  // for a connection that is being closed
constexpr std::size_t max_discarded = std::size_t{1} << 22;

std::string error_json(std::string_view what) {
  std::string text;
  for (const char c : what) {
    if (c == '"' || c == '\\') text += '\\';
    text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return fmt::format("{{\"error\":\"{}\"}}\n", text);
}

// In the same time for every wrong guess of the right length.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned char different = a.size() != b.size() ? 1 : 0;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) different |= static_cast<unsigned char>(a[i] ^ b[i]);
  return different == 0;
}

// Bytes of this process in memory.
int64_t resident_bytes() {
  long pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return int64_t{pages} * ::sysconf(_SC_PAGESIZE);
}

// What /metrics tells.
class Metrics {
 public:
  void answered(unsigned status) {
    const std::lock_guard lock(mutex_);
    ++answers_[status];
  }
  void ranked(int64_t candidates, double seconds) {
    const std::lock_guard lock(mutex_);
    candidates_ += candidates;
    sum_ += seconds;
    ++ranked_;
    for (std::size_t i = 0; i < bounds.size(); ++i) within_[i] += seconds <= bounds[i];
  }
  std::string text(int64_t connections) const {
    const std::lock_guard lock(mutex_);
    std::string out = "# HELP seminar_requests_total Answers by status.\n# TYPE seminar_requests_total counter\n";
    for (const auto& [status, count] : answers_)
      out += fmt::format("seminar_requests_total{{status=\"{}\"}} {}\n", status, count);
    out += fmt::format(
        "# HELP seminar_candidates_total Candidates ranked.\n# TYPE seminar_candidates_total counter\n"
        "seminar_candidates_total {}\n"
        "# HELP seminar_rank_seconds Time to rank a request's candidates.\n# TYPE seminar_rank_seconds histogram\n",
        candidates_);
    for (std::size_t i = 0; i < bounds.size(); ++i)
      out += fmt::format("seminar_rank_seconds_bucket{{le=\"{}\"}} {}\n", bounds[i], within_[i]);
    return out + fmt::format(
                     "seminar_rank_seconds_bucket{{le=\"+Inf\"}} {}\nseminar_rank_seconds_sum {}\n"
                     "seminar_rank_seconds_count {}\n"
                     "# HELP seminar_connections Open connections.\n# TYPE seminar_connections gauge\n"
                     "seminar_connections {}\n"
                     "# HELP process_resident_memory_bytes Memory in use.\n"
                     "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {}\n",
                     ranked_, sum_, ranked_, connections, resident_bytes());
  }

 private:
  static constexpr std::array bounds{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0};
  mutable std::mutex mutex_;
  std::map<unsigned, int64_t> answers_;
  int64_t candidates_ = 0, ranked_ = 0;
  std::array<int64_t, bounds.size()> within_{};
  double sum_ = 0;
};

// Rankings that wait for a request: as many as were ever needed at once, at most one a thread.
class Rankings {
 public:
  Rankings(const seminar_model* model, const ServerOptions& options) : model_(model), options_(options) {}
  std::string answer(std::string_view request, Metrics& metrics) {
    std::unique_ptr<Ranking> ranking = take();
    struct Back {
      Rankings& all;
      std::unique_ptr<Ranking>& one;
      ~Back() {
        const std::lock_guard lock(all.mutex_);
        all.idle_.push_back(std::move(one));
      }
    } back{*this, ranking};
    std::string answer = ranking->answer(request);
    metrics.ranked(ranking->candidates(), ranking->seconds());
    return answer;
  }

 private:
  std::unique_ptr<Ranking> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Ranking>(model_, options_.history, options_.limits);
    std::unique_ptr<Ranking> one = std::move(idle_.back());
    idle_.pop_back();
    return one;
  }
  const seminar_model* model_;
  const ServerOptions& options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Ranking>> idle_;
};

class Connection;

// What connections share.
struct Shared {
  const ServerOptions& options;
  Rankings rankings;
  Metrics metrics{};
  std::atomic<bool> stopping{false};
  std::mutex mutex{};
  std::set<Connection*> open{};
  int64_t connections() {
    const std::lock_guard lock(mutex);
    return std::ssize(open);
  }
};

// One client: requests one after the other, each read, answered and written within its time.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket&& socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    const std::lock_guard lock(shared.mutex);
    shared.open.insert(this);
  }
  ~Connection() {
    const std::lock_guard lock(shared_.mutex);
    shared_.open.erase(this);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->read_header(); });
  }
  // Says that there are too many, and goes.
  void refuse() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
      self->answer(http::status::service_unavailable, error_json("too many connections: try again"), false);
    });
  }
  // Ends a connection that waits for its next request. The others end by themselves.
  void stop() {
    const std::shared_ptr<Connection> self = weak_from_this().lock();  // it may be about to go
    if (!self) return;
    asio::dispatch(stream_.get_executor(), [self] {
      if (self->waiting_) self->stream_.close();
    });
  }

 private:
  void give_time() {
    stream_.expires_after(std::chrono::milliseconds(static_cast<int64_t>(1000 * shared_.options.seconds)));
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(max_header);
    parser_->body_limit(static_cast<uint64_t>(shared_.options.body));
    waiting_ = buffer_.size() == 0;
    if (waiting_ && shared_.stopping) return stream_.close();
    give_time();
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      self->waiting_ = false;
      if (error) return self->failed_to_read(error);
      self->head_came();
    });
  }

  void failed_to_read(error_code error) {
    if (error == http::error::end_of_stream) return linger();
    if (error == beast::error::timeout || error == asio::error::operation_aborted) return stream_.close();
    if (error == http::error::header_limit)
      return answer(http::status::request_header_fields_too_large, error_json("header too large"), false);
    if (error == http::error::body_limit)
      return answer(http::status::payload_too_large,
                    error_json(fmt::format("body: at most {} bytes", shared_.options.body)), false);
    if (error.category() == http::make_error_code(http::error::bad_method).category() &&
        error != http::error::partial_message)
      return answer(http::status::bad_request, error_json("not HTTP: " + error.message()), false);
    stream_.close();  // cut off in the middle
  }

  // What can be answered without the body is.
  void head_came() {
    const auto& head = parser_->get();
    const bool rank = head.target() == "/rank", metrics = head.target() == "/metrics", page = head.target() == "/",
               health = head.target() == "/healthz";
    if (!rank && !metrics && !health && (!page || shared_.options.page.empty()))
      return refuse_unread(http::status::not_found, "no such path: there are /rank, /healthz and /metrics");
    const bool may = shared_.options.token.empty() || health || page ||
                     same_secret(view(head[http::field::authorization]), "Bearer " + shared_.options.token);
    if (!may) return refuse_unread(http::status::unauthorized, "a bearer token is needed");
    if (head.method() != (rank ? http::verb::post : http::verb::get))
      return refuse_unread(http::status::method_not_allowed, rank ? "use POST" : "use GET");
    if (beast::iequals(head[http::field::expect], "100-continue")) return invite_body();
    read_body();
  }
  static std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

  // A body that was announced is not waited for: the connection ends.
  void refuse_unread(http::status status, std::string_view what) {
    answer(status, error_json(what), parser_->is_done() && parser_->keep_alive());
  }

  void invite_body() {
    auto invitation = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    http::async_write(stream_, *invitation, [self = shared_from_this(), invitation](error_code error, std::size_t) {
      if (error) return self->stream_.close();
      self->read_body();
    });
  }

  void read_body() {
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error) return self->failed_to_read(error);
      self->request_came();
    });
  }

  void request_came() {
    const bool keep = parser_->keep_alive() && !shared_.stopping;
    const http::request<http::string_body> request = parser_->release();
    if (request.target() == "/healthz") return answer(http::status::ok, "ok\n", keep, "text/plain");
    if (request.target() == "/metrics")
      return answer(http::status::ok, shared_.metrics.text(shared_.connections()), keep, "text/plain; version=0.0.4");
    if (request.target() == "/")
      return answer(http::status::ok, shared_.options.page, keep, "text/html; charset=utf-8");
    try {
      answer(http::status::ok, shared_.rankings.answer(request.body(), shared_.metrics) + "\n", keep);
    } catch (const Error& e) {
      answer(http::status::bad_request, error_json(e.what()), keep);
    } catch (const std::bad_alloc&) {
      answer(http::status::service_unavailable, error_json("out of memory"), false);
    }
  }

  void answer(http::status status, std::string body, bool keep, const char* type = "application/json") {
    shared_.metrics.answered(static_cast<unsigned>(status));
    auto response = std::make_shared<http::response<http::string_body>>(status, 11, std::move(body));
    response->set(http::field::content_type, type);
    response->set("X-Content-Type-Options", "nosniff");
    if (status == http::status::unauthorized) response->set(http::field::www_authenticate, "Bearer");
    if (status == http::status::method_not_allowed)
      response->set(http::field::allow, parser_->get().target() == "/rank" ? "POST" : "GET");
    if (status == http::status::service_unavailable) response->set(http::field::retry_after, "1");
    response->keep_alive(keep);
    response->prepare_payload();
    give_time();
    http::async_write(stream_, *response, [self = shared_from_this(), response, keep](error_code error, std::size_t) {
      if (error) return self->stream_.close();
      if (keep)
        self->read_header();
      else
        self->linger();
    });
  }

  // Closing with bytes unread would take back the answer (TCP resets): they are read and dropped, for a moment.
  void linger() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(last_words);
    discard();
  }
  void discard() {
    stream_.async_read_some(asio::buffer(dropped_), [self = shared_from_this()](error_code error, std::size_t n) {
      self->discarded_ += n;
      if (error || self->discarded_ > max_discarded) return self->stream_.close();
      self->discard();
    });
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::array<char, 4096> dropped_;
  std::size_t discarded_ = 0;
  bool waiting_ = false;
};

class Server {
 public:
  Server(const seminar_model* model, const ServerOptions& options)
      : shared_{options, Rankings(model, options)}, acceptor_(context_), signals_(context_, SIGINT, SIGTERM) {}

  void listen() {
    const ServerOptions& o = shared_.options;
    error_code error;
    const asio::ip::address address = asio::ip::make_address(o.address, error);
    check(!error, "--address: must be an IP address: '{}'", o.address);
    const tcp::endpoint endpoint(address, o.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    check(!error, "{} port {}: cannot listen: {}", o.address, o.port, error.message());
  }
  uint16_t port() const { return acceptor_.local_endpoint().port(); }

  void run() {
    signals_.async_wait([this](error_code error, int) {
      if (!error) stop();
    });
    accept();
    std::vector<std::thread> threads;
    for (int64_t i = 1; i < shared_.options.threads; ++i) threads.emplace_back([this] { context_.run(); });
    context_.run();
    for (std::thread& t : threads) t.join();
  }

 private:
  void accept() {
    acceptor_.async_accept(asio::make_strand(context_), [this](error_code error, tcp::socket socket) {
      if (shared_.stopping) return;
      if (!error) welcome(std::move(socket));
      accept();
    });
  }
  void welcome(tcp::socket&& socket) {
    const int64_t open = shared_.connections(), most = shared_.options.connections;
    if (open >= 2 * most) return;  // those that are being refused count as well
    const auto connection = std::make_shared<Connection>(std::move(socket), shared_);
    if (open < most)
      connection->start();
    else
      connection->refuse();
  }
  void stop() {
    shared_.stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    {
      const std::lock_guard lock(shared_.mutex);
      for (Connection* c : shared_.open) c->stop();
    }
    signals_.async_wait([this](error_code error, int) {
      if (!error) context_.stop();
    });
    watch_end();
  }
  // The second signal is waited for only as long as connections are open.
  void watch_end() {
    if (shared_.connections() == 0) return signals_.cancel(ignored_);
    auto timer = std::make_shared<asio::steady_timer>(context_, std::chrono::milliseconds(20));
    timer->async_wait([this, timer](error_code) { watch_end(); });
  }

  Shared shared_;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  asio::signal_set signals_;
  error_code ignored_;
};

}  // namespace

bool is_loopback(const std::string& address) {
  error_code error;
  const asio::ip::address parsed = asio::ip::make_address(address, error);
  return !error && parsed.is_loopback();
}

void serve(const seminar_model* model, const ServerOptions& options,
           const std::function<void(uint16_t port)>& listening) {
  Server server(model, options);
  server.listen();
  listening(server.port());
  server.run();
}

}  // namespace seminar
