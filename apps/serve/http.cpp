#include "apps/serve/http.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace seminar {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool same_word(std::string_view a, std::string_view b) {
  return beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

// uri-host [":" port], by the characters they may have; empty is a host as well.
bool is_host(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~%!$&'()*+,;=:[]").find(c) != std::string_view::npos;
  });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The path of a request target: `/path?query`, `http://host/path?query`, or `*`. None for anything else.
std::optional<std::string> path_of(std::string_view target) {
  if (target == "*") return "*";
  for (const std::string_view scheme : {"http://", "https://"})
    if (same_word(target.substr(0, scheme.size()), scheme)) {
      target.remove_prefix(scheme.size());
      const std::string_view host = target.substr(0, target.find_first_of("/?#"));
      if (host.empty() || !is_host(host)) return {};
      target.remove_prefix(host.size());
      if (target.empty() || target.front() == '?') return "/";
      break;
    }
  if (target.empty() || target.front() != '/' || target.find('#') != std::string_view::npos) return {};
  target = target.substr(0, target.find('?'));
  std::string path;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] != '%') {
      path += target[i];
      continue;
    }
    if (i + 2 >= target.size()) return {};
    const int high = hex_digit(target[i + 1]), low = hex_digit(target[i + 2]);
    if (high < 0 || low < 0) return {};
    path += static_cast<char>(16 * high + low);
    i += 2;
  }
  return path;
}

// All values of a field as one list, as if they had come in one line.
std::vector<std::string_view> listed(const http::request_header<>& head, http::field name) {
  std::vector<std::string_view> words;
  const auto [begin, end] = head.equal_range(name);
  for (auto field = begin; field != end; ++field) {
    std::string_view rest = view(field->value());
    for (bool more = true; more;) {
      const std::size_t comma = rest.find(',');
      words.push_back(trimmed(rest.substr(0, comma)));
      more = comma != std::string_view::npos;
      if (more) rest.remove_prefix(comma + 1);
    }
  }
  return words;
}

// Where the body ends must be beyond doubt (RFC 9112, 6.1 and 6.3).
void check_framing(const http::request_header<>& head, RequestHead& out) {
  const auto refuse = [&](unsigned status, std::string error) {
    out.status = status;
    out.error = std::move(error);
  };
  const std::size_t lengths = head.count(http::field::content_length);
  if (lengths > 1) return refuse(400, "Content-Length: more than one");
  const std::string_view length = view(head[http::field::content_length]);
  if (length.find_first_not_of("0123456789") != std::string_view::npos)
    return refuse(400, fmt::format("Content-Length: must be a number: '{}'", length));
  if (head.count(http::field::transfer_encoding) == 0) return;
  if (lengths > 0) return refuse(400, "Transfer-Encoding and Content-Length in one request");
  if (head.version() < 11) return refuse(400, "Transfer-Encoding: not in HTTP/1.0");
  const std::vector<std::string_view> codings = listed(head, http::field::transfer_encoding);
  if (!same_word(codings.back(), "chunked"))
    return refuse(400, fmt::format("Transfer-Encoding: the last coding must be chunked: '{}'", codings.back()));
  if (codings.size() == 1) return;
  if (std::any_of(codings.begin(), codings.end() - 1, [](auto c) { return same_word(c, "chunked"); }))
    return refuse(400, "Transfer-Encoding: chunked twice");
  refuse(501, fmt::format("Transfer-Encoding: only chunked is understood: '{}'", codings.front()));
}

}  // namespace

RequestHead read_head(const http::request_header<>& head) {
  RequestHead out;
  check_framing(head, out);
  if (out.status != 200) return out;
  const std::size_t hosts = head.count(http::field::host);
  const auto path = path_of(view(head.target()));
  if (hosts > 1)
    out.error = "Host: more than one";
  else if (hosts == 0 && head.version() >= 11)
    out.error = "Host: missing";
  else if (hosts == 1 && !is_host(view(head[http::field::host])))
    out.error = "Host: not a host";
  else if (!path || (*path == "*" && head.method() != http::verb::options))
    out.error = "the request's target must be a path";
  if (!out.error.empty())
    out.status = 400;
  else
    out.path = *path;
  return out;
}

std::string bearer_token(const http::request_header<>& head) {
  constexpr std::string_view scheme = "bearer";
  if (head.count(http::field::authorization) != 1) return "";
  const std::string_view value = trimmed(view(head[http::field::authorization]));
  if (value.size() <= scheme.size() || value[scheme.size()] != ' ' ||
      !same_word(value.substr(0, scheme.size()), scheme))
    return "";
  return std::string(trimmed(value.substr(scheme.size())));
}

bool same_secret(std::string_view a, std::string_view b) {
  unsigned char different = a.size() != b.size() ? 1 : 0;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) different |= static_cast<unsigned char>(a[i] ^ b[i]);
  return different == 0;
}

std::string error_json(std::string_view what) {
  std::string text;
  for (const char c : what) {
    if (c == '"' || c == '\\') text += '\\';
    text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return fmt::format("{{\"error\":\"{}\"}}\n", text);
}

}  // namespace seminar
