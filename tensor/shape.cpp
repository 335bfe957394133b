#include "tensor/shape.h"

#include <fmt/format.h>

#include <algorithm>

fmt::appender fmt::formatter<seminar::Shape>::format(const seminar::Shape& s, fmt::format_context& context) const {
  return fmt::format_to(context.out(), "[{}]", fmt::join(s.begin(), s.end(), ", "));
}

namespace seminar {

bool Shape::operator==(const Shape& other) const { return std::equal(begin(), end(), other.begin(), other.end()); }

void Shape::too_large() const { fail("shape: the product of the sizes is too large: {}", *this); }

int64_t checked_numel(const char* op, const Shape& shape) {
  int64_t count = 1;
  for (int64_t s : shape) {
    check(s >= 0, "{}: negative size: {}", op, shape);
    check(!__builtin_mul_overflow(count, s, &count) && count < (int64_t{1} << 46), "{}: too large: {}", op, shape);
  }
  return count;
}

}  // namespace seminar
