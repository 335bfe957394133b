// A client that sends whatever bytes it is told, to see what a server makes of them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace seminar {

class HttpClient {
 public:
  explicit HttpClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{30, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~HttpClient() { ::close(socket_); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool send(std::string_view bytes) {
    while (connected_ && !bytes.empty()) {
      const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return connected_;
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }

  struct Answer {
    int status = 0;  ///< 0: closed without one
    std::string head, body;
  };
  /// The next answer; `head_only`: to HEAD, without the body that its head announces.
  Answer receive(bool head_only = false) {
    Answer a;
    std::size_t end = 0;
    while ((end = read_.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return a;
    a.head = read_.substr(0, end);
    const std::size_t at = a.head.find("Content-Length: ");
    const std::size_t length =
        at == std::string::npos || head_only ? 0 : std::strtoul(a.head.c_str() + at + 16, nullptr, 10);
    while (read_.size() < end + 4 + length)
      if (!more()) return {};
    a.body = read_.substr(end + 4, length);
    read_.erase(0, end + 4 + length);
    a.status = std::atoi(a.head.c_str() + 9);
    return a;
  }
  /// Whether the server closes, now or after what it still sends.
  bool closed() {
    while (more()) {
    }
    return end_;
  }

 private:
  bool more() {
    char buffer[4096];
    const ssize_t n = ::recv(socket_, buffer, sizeof buffer, 0);
    if (n > 0) read_.append(buffer, static_cast<std::size_t>(n));
    end_ = n == 0 || (n < 0 && errno == ECONNRESET);
    return n > 0;
  }
  int socket_;
  bool connected_ = false, end_ = false;
  std::string read_;
};

/// POST /rank with a body.
inline std::string rank_request(std::string_view body, std::string_view headers = "") {
  std::string text = "POST /rank HTTP/1.1\r\nHost: here\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return text.append(headers).append("\r\n").append(body);
}

}  // namespace seminar
