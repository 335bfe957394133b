// 'seminar serve' as a running program, and what it is asked.
#pragma once

#include "tests/exported_model.h"
#include "tests/http_client.h"
#include "tests/program.h"

namespace seminar {

// A running server.
class Served {
 public:
  explicit Served(const ExportedModel& e, const std::string& options = "")
      : process_(fmt::format("serve --model {} --port 0 {}", e.path, options)) {
    process_.wait_for("\n");
    const std::string& line = process_.errors();
    const std::size_t at = line.rfind(':');
    REQUIRE(line.starts_with("listening on http://127.0.0.1:"));
    port_ = std::atoi(line.c_str() + at + 1);
  }
  ~Served() {
    if (running_) stop();
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;
  int port() const { return port_; }
  void signal(int number = SIGTERM) { process_.send(number); }
  /// Waits until standard error holds the text.
  void wait_for(const std::string& text) { process_.wait_for(text); }
  int wait() {
    running_ = false;
    return process_.wait();
  }
  int stop() {
    signal();
    return wait();
  }
  // One request on a connection of its own.
  HttpClient::Answer ask(std::string_view bytes) const {
    HttpClient client(port_);
    client.send(bytes);
    return client.receive();
  }
  double metric(const std::string& name) const {
    const std::string text = ask("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").body;
    const std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
  }

 private:
  Running process_;
  bool running_ = true;
  int port_ = 0;
};

inline std::string get(const std::string& path, const std::string& headers = "") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: here\r\n{}\r\n", path, headers);
}

}  // namespace seminar
