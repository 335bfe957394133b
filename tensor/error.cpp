#include "tensor/error.h"

#include <system_error>

namespace seminar {

void fail_with(fmt::string_view format, fmt::format_args args) { throw Error(fmt::vformat(format, args)); }

std::string errno_text(int code) { return std::generic_category().message(code); }

}  // namespace seminar
