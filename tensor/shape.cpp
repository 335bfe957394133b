#include "tensor/shape.h"

#include <fmt/format.h>

fmt::appender fmt::formatter<seminar::Shape>::format(const seminar::Shape& s, fmt::format_context& context) const {
  return fmt::format_to(context.out(), "[{}]", fmt::join(s.begin(), s.end(), ", "));
}
