// Texts that strangers wrote: whether they are UTF-8, and how a message shows them.
#pragma once

#include <string>
#include <string_view>

#include "tensor/error.h"

namespace seminar {

/// `value` for an error message: in single quotes, on one line, at most 60 characters, control characters and bytes
/// that are not UTF-8 escaped.
std::string shown(std::string_view value);

/// True if `text` is well-formed UTF-8.
bool valid_utf8(std::string_view text);

/// True if `text` is well-formed UTF-8 without control characters, so that it stays on its line.
bool printable(std::string_view text);

}  // namespace seminar
