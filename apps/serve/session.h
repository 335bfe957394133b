// One client of the server: requests one after the other, each read, answered and written within its time. All of it
// happens on the thread that runs the context; only ranking does not.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <set>

#include "apps/serve/metrics.h"
#include "apps/serve/server.h"

namespace seminar {

class Session;

/// What sessions share.
struct SharedState {
  SharedState(RankingService& s, const ServerOptions& o)
      : options(o), service(s), memory(o.memory), pool(o.threads, o.queue) {}
  ~SharedState() { given_up = true; }
  const ServerOptions& options;
  RankingService& service;
  Metrics metrics;
  MemoryBudget memory;
  bool stopping = false;
  std::atomic<bool> given_up{false};  ///< nobody waits for what is being ranked
  std::set<Session*> open;
  boost::asio::io_context context{1};
  WorkPool pool;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(boost::asio::ip::tcp::socket&& socket, SharedState& shared);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  void start() { read_header(); }
  /// Says that there are too many, and goes.
  void refuse();
  /// Ends a connection that waits for its next request. The others end by themselves.
  void stop();

 private:
  struct Answer {
    unsigned status;
    std::string body;
    const char* type = "application/json";
    std::string allow = "", model = "";
  };
  struct Path;
  static const Path* find_path(const std::string& path, const ServerOptions& options);
  void give_time();
  void read_header();
  bool skip_empty_line();
  void failed_to_read(boost::system::error_code error);
  void head_came();
  void refuse_unread(Answer answer);
  void invite_body();
  void read_body();
  void request_came();
  void rank(bool keep);
  void send(Answer answer, bool keep);
  void sent(boost::system::error_code error, bool keep);
  void linger();
  void discard();
  bool hold(int64_t bytes);
  void let_go();

  boost::beast::tcp_stream stream_;
  SharedState& shared_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  const Path* path_ = nullptr;
  int64_t held_ = 0;  // of the memory budget
  std::array<char, 4096> dropped_;
  std::size_t discarded_ = 0;
  bool waiting_ = false, head_only_ = false, old_ = false, skipped_ = false;
};

}  // namespace seminar
