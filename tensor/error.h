// The two kinds of failure. The library throws them and never prints, aborts or exits; only apps/ do.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>

namespace seminar {

/// The caller's mistake or a bad file: `op: what is wrong: the values`. The program reports it with exit code 2.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A mistake in this project.
struct Bug : std::logic_error {
  using std::logic_error::logic_error;
};

/// Throws Error with the message that fmt::vformat makes of `args`. Not a template: what calls fail() stays small.
[[noreturn]] void fail_with(fmt::string_view format, fmt::format_args args);

/// Throws Error with a formatted message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  fail_with(format, fmt::make_format_args(args...));
}

/// Throws Error with a formatted message unless `ok`. Nothing is formatted while all is well.
template <class... Args>
void check(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) [[unlikely]]
    fail_with(format, fmt::make_format_args(args...));
}

/// The text of errno value `code`, like "No space left on device".
std::string errno_text(int code);

}  // namespace seminar
