// What the head of an HTTP request says (RFC 9110, 9112): which path is meant, and whether it may be answered at all.
// Where two readers of the same bytes could disagree about where a request ends, it is refused and the connection ends:
// nothing can be smuggled past a proxy.
#pragma once

#include <boost/beast/http/message.hpp>
#include <string>
#include <string_view>

namespace seminar {

/// A request's head, read.
struct RequestHead {
  unsigned status = 200;  ///< 200, or that of the refusal; what follows a refused head on its connection is not read
  std::string error;      ///< why it is refused
  std::string path;       ///< without scheme, host and query, %XX decoded; "*" for the whole server
};
RequestHead read_head(const boost::beast::http::request_header<>& head);

/// The token of `Authorization: Bearer TOKEN`, the scheme in any case; empty if there is none or more than one.
std::string bearer_token(const boost::beast::http::request_header<>& head);

/// Whether they are equal, in the same time for every wrong guess of the right length.
bool same_secret(std::string_view a, std::string_view b);

/// {"error": what} and a line's end.
std::string error_json(std::string_view what);

}  // namespace seminar
