#include "tensor/error.h"

#include <system_error>

namespace seminar {

std::string errno_text(int code) { return std::generic_category().message(code); }

}  // namespace seminar
