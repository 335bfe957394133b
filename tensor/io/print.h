// What a program says to people. Printing never throws: work goes on when nobody can listen, and the program asks at
// its end whether all was written.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

namespace seminar {

/// Writes `text`. Remembers the first failure of the stream; never throws.
void write_text(std::FILE* stream, std::string_view text) noexcept;
/// Flushes; errno of the stream's first failure, 0 if all was written.
int flush_text(std::FILE* stream) noexcept;

/// A formatted text on standard output, for results.
template <class... Args>
void print_out(fmt::format_string<Args...> format, Args&&... args) {
  write_text(stdout, fmt::format(format, std::forward<Args>(args)...));
}

/// A formatted text on standard error, for progress and messages.
template <class... Args>
void print_error(fmt::format_string<Args...> format, Args&&... args) {
  write_text(stderr, fmt::format(format, std::forward<Args>(args)...));
}

/// Gives descriptors 0, 1 and 2 that the caller has closed a place of their own, so that no file that is opened later
/// gets what is printed. Writing to them still fails. Call first in main().
void reserve_standard_streams() noexcept;

}  // namespace seminar
