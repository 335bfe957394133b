#include "apps/serve/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <string_view>

#include "apps/serve/http.h"

namespace seminar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr uint32_t max_header = 8192;
constexpr std::size_t max_buffered = 1 << 16;  // bytes read and not yet understood
constexpr std::chrono::seconds last_words{2};  // for a connection that is being closed
constexpr std::size_t max_discarded = std::size_t{1} << 22;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
}

}  // namespace

// What is answered where.
struct Session::Path {
  const char *path, *allow;
  bool post, open;  // by POST, not GET; whether it needs no token
};

const Session::Path* Session::find_path(const std::string& path, const ServerOptions& options) {
  static constexpr Path paths[] = {{"/rank", "OPTIONS, POST", true, false},
                                   {"/healthz", "GET, HEAD, OPTIONS", false, true},
                                   {"/metrics", "GET, HEAD, OPTIONS", false, false},
                                   {"/", "GET, HEAD, OPTIONS", false, true},
                                   {"*", "GET, HEAD, OPTIONS, POST", false, true}};
  for (const Path& p : paths)
    if (path == p.path && (path != "/" || !options.page.empty())) return &p;
  return nullptr;
}

Session::Session(tcp::socket&& socket, SharedState& shared)
    : stream_(std::move(socket)), shared_(shared), buffer_(max_buffered) {
  shared.open.insert(this);
}

Session::~Session() {
  let_go();
  shared_.open.erase(this);
}

void Session::refuse() { send({503, error_json("too many connections: try again")}, false); }

void Session::stop() {
  if (waiting_) stream_.close();
}

void Session::give_time() { stream_.expires_after(milliseconds(shared_.options.seconds)); }

bool Session::hold(int64_t bytes) {
  if (!shared_.memory.take(bytes)) return false;
  held_ += bytes;
  return true;
}

void Session::let_go() {
  shared_.memory.give(held_);
  held_ = 0;
}

void Session::read_header() {
  parser_.emplace();
  parser_->header_limit(max_header);
  parser_->body_limit(static_cast<uint64_t>(shared_.options.body));
  waiting_ = buffer_.size() == 0;
  if (waiting_ && shared_.stopping) return stream_.close();
  give_time();
  http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
    self->waiting_ = false;
    if (error == http::error::bad_method && self->skip_empty_line()) return self->read_header();
    if (error) return self->failed_to_read(error);
    self->head_came();
  });
}

// One empty line before a request is no mistake (RFC 9112, 2.2): old clients end a body with one.
bool Session::skip_empty_line() {
  const std::string_view begin(static_cast<const char*>(buffer_.data().data()),
                               std::min<std::size_t>(2, buffer_.size()));
  if (begin != "\r\n" || skipped_) return false;
  buffer_.consume(2);
  return skipped_ = true;
}

void Session::failed_to_read(error_code error) {
  head_only_ = false;
  if (error == http::error::end_of_stream) return linger();
  if (error == beast::error::timeout || error == asio::error::operation_aborted) return stream_.close();
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return send({431, error_json("header too large")}, false);
  if (error == http::error::body_limit)
    return send({413, error_json(fmt::format("body: at most {} bytes", shared_.options.body))}, false);
  if (error.category() == http::make_error_code(http::error::bad_method).category() &&
      error != http::error::partial_message)
    return send({400, error_json("not HTTP: " + error.message())}, false);
  stream_.close();  // cut off in the middle
}

// What can be answered without the body is.
void Session::head_came() {
  const auto& message = parser_->get();
  head_only_ = message.method() == http::verb::head;
  old_ = message.version() < 11;
  const RequestHead head = read_head(message);
  if (head.status != 200) return send({head.status, error_json(head.error)}, false);
  path_ = find_path(head.path, shared_.options);
  if (!path_) return refuse_unread({404, error_json("no such path: there are /rank, /healthz and /metrics")});
  const bool options = message.method() == http::verb::options;
  if (!options && !path_->open && !shared_.options.token.empty() &&
      !same_secret(bearer_token(message), shared_.options.token))
    return refuse_unread({401, error_json("a bearer token is needed")});
  const bool may = options || (path_->post ? message.method() == http::verb::post
                                           : message.method() == http::verb::get || head_only_);
  if (!may)
    return refuse_unread({405, error_json(path_->post ? "use POST" : "use GET"), "application/json", path_->allow});
  const int64_t most = shared_.options.body,
                body = parser_->chunked() ? most
                                          : static_cast<int64_t>(std::min<uint64_t>(
                                                parser_->content_length().value_or(0), static_cast<uint64_t>(most)));
  if (!hold(body)) return refuse_unread({503, error_json("out of memory for requests: try again")});
  if (!old_ && message.count(http::field::expect) > 0) {
    if (!beast::iequals(message[http::field::expect], "100-continue"))
      return refuse_unread({417, error_json("Expect: only 100-continue is understood")});
    return invite_body();
  }
  read_body();
}

// A body that was announced is not waited for: the connection ends.
void Session::refuse_unread(Answer answer) { send(std::move(answer), parser_->is_done() && parser_->keep_alive()); }

void Session::invite_body() {
  auto invitation = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
  http::async_write(stream_, *invitation, [self = shared_from_this(), invitation](error_code error, std::size_t) {
    if (error) return self->stream_.close();
    self->read_body();
  });
}

void Session::read_body() {
  http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
    if (error) return self->failed_to_read(error);
    self->request_came();
  });
}

void Session::request_came() {
  const bool keep = parser_->keep_alive();
  const std::string_view path = path_->path;
  if (parser_->get().method() == http::verb::options) return send({200, "", nullptr, path_->allow}, keep);
  if (path == "/healthz") return send({200, "ok\n", "text/plain"}, keep);
  if (path == "/metrics")
    return send({200, shared_.metrics.text({std::ssize(shared_.open), shared_.pool.waiting(), shared_.service.model()}),
                 "text/plain; version=0.0.4"},
                keep);
  if (path == "/") return send({200, shared_.options.page, "text/html; charset=utf-8"}, keep);
  rank(keep);
}

void Session::rank(bool keep) {
  const Deadline deadline{std::chrono::steady_clock::now() + milliseconds(shared_.options.seconds), &shared_.given_up};
  stream_.expires_never();
  auto body = std::make_shared<std::string>(std::move(parser_->get().body()));
  // The last owner of a session must be the context's thread: the work hands its own over.
  auto work = [self = shared_from_this(), body = std::move(body), deadline, keep]() mutable {
    SharedState& shared = self->shared_;
    auto reply = std::make_shared<RankingService::Reply>(shared.service.rank(*body, deadline));
    body.reset();
    int64_t held = std::ssize(reply->body);
    if (!shared.memory.take(held)) {
      *reply = {503, error_json("out of memory for answers: try again")};
      held = 0;
    }
    asio::post(shared.context, [self = std::move(self), reply, held, keep] {
      self->let_go();
      self->held_ = held;
      if (reply->status == 200) self->shared_.metrics.ranked(reply->candidates, reply->seconds);
      self->send({reply->status, std::move(reply->body), "application/json", "", std::move(reply->model)}, keep);
    });
  };
  if (!shared_.pool.submit(std::move(work))) send({503, error_json("too many requests are waiting: try again")}, keep);
}

void Session::send(Answer answer, bool keep) {
  keep = keep && !shared_.stopping;
  shared_.metrics.answered(answer.status);
  auto response = std::make_shared<http::response<http::string_body>>(static_cast<http::status>(answer.status), 11,
                                                                      std::move(answer.body));
  if (answer.type) response->set(http::field::content_type, answer.type);
  response->set("X-Content-Type-Options", "nosniff");
  if (!answer.model.empty()) response->set("Seminar-Model", answer.model);
  if (answer.status == 401) response->set(http::field::www_authenticate, "Bearer");
  if (!answer.allow.empty()) response->set(http::field::allow, answer.allow);
  if (answer.status == 503) response->set(http::field::retry_after, "1");
  response->keep_alive(keep);
  if (keep && old_) response->set(http::field::connection, "keep-alive");  // who speaks HTTP/1.0 must be told
  response->prepare_payload();
  give_time();
  if (!head_only_) {
    http::async_write(stream_, *response, [self = shared_from_this(), response, keep](error_code error, std::size_t) {
      self->sent(error, keep);
    });
    return;
  }
  auto writer = std::make_shared<http::response_serializer<http::string_body>>(*response);
  http::async_write_header(
      stream_, *writer,
      [self = shared_from_this(), response, writer, keep](error_code error, std::size_t) { self->sent(error, keep); });
}

void Session::sent(error_code error, bool keep) {
  let_go();
  head_only_ = old_ = skipped_ = false;
  if (error) return stream_.close();
  if (keep)
    read_header();
  else
    linger();
}

// Closing with bytes unread would take back the answer (TCP resets): they are read and dropped, for a moment.
void Session::linger() {
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(last_words);
  discard();
}

void Session::discard() {
  stream_.async_read_some(asio::buffer(dropped_), [self = shared_from_this()](error_code error, std::size_t n) {
    self->discarded_ += n;
    if (error || self->discarded_ > max_discarded) return self->stream_.close();
    self->discard();
  });
}

}  // namespace seminar
