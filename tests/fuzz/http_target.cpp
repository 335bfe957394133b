// What strangers send to the server, through its parser and its reading of heads (apps/serve/http.h). A request that is
// accepted must end where its bytes say: anything else would be a place to smuggle another one.
#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <string_view>

#include "apps/serve/http.h"
#include "tensor/error.h"
#include "tests/fuzz/targets.h"

namespace seminar {
namespace {

namespace http = boost::beast::http;

// The values of a field by the bytes of the head alone.
std::vector<std::string> field_values(std::string_view head, std::string_view name) {
  std::vector<std::string> values;
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos; line = head.find("\r\n", line + 2)) {
    const std::string_view rest = head.substr(line + 2, name.size() + 1);
    if (rest.size() <= name.size() || rest[name.size()] != ':' ||
        !boost::beast::iequals({rest.data(), name.size()}, {name.data(), name.size()}))
      continue;
    const std::size_t begin = line + 3 + name.size();
    values.emplace_back(head.substr(begin, head.find("\r\n", begin) - begin));
  }
  return values;
}

// Reads one request; returns the bytes it took.
std::size_t read_one(std::string_view bytes) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(8192);
  parser.body_limit(1 << 16);
  std::size_t used = 0;
  const auto read_until = [&](const auto& done) {
    while (!done()) {
      boost::system::error_code error;
      const std::size_t n = parser.put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), error);
      check(!error, "http: not HTTP: {}", error.message());
      used += n;
      check(n > 0 || done(), "http: cut off");
    }
  };
  read_until([&] { return parser.is_header_done(); });
  const std::size_t head_bytes = used;
  const RequestHead head = read_head(parser.get());
  check(head.status == 200, "http: {}", head.error);
  bearer_token(parser.get());
  parser.eager(true);
  read_until([&] { return parser.is_done(); });
  const std::string_view text = bytes.substr(0, head_bytes);
  const auto lengths = field_values(text, "content-length"), codings = field_values(text, "transfer-encoding");
  if (lengths.size() + codings.size() > 1) throw Bug("http: two lengths were accepted");
  if (codings.empty()) {
    const std::size_t body = lengths.empty() ? 0 : std::stoul(lengths[0]);
    if (used - head_bytes != body) throw Bug("http: a body of another length than it says");
  }
  if (text.find('\0') != std::string_view::npos) throw Bug("http: a NUL was accepted");
  return used;
}

}  // namespace

FuzzTarget http_requests() {
  return {
      "http",
      {"POST /rank HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\nAuthorization: Bearer abc\r\n\r\n{}"
       "GET /healthz?x=1 HTTP/1.1\r\nHost: here\r\n\r\n",
       "POST http://here/rank HTTP/1.1\r\nHost: here:80\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
       "2;a=\"b\"\r\n{}\r\n0\r\nX: y\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n",
       "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"},
      [](const std::string& input) {
        for (std::string_view rest = input; !rest.empty();) rest.remove_prefix(read_one(rest));
      }};
}

}  // namespace seminar
