// Tensors and Vars as text, as PyTorch shows them.
#pragma once

#include <fmt/format.h>

#include <iosfwd>
#include <string>

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

/// "tensor([[1, 2.5], [3, 4]], shape [2, 2])", four digits a number. Of an axis longer than 6 the first and last three.
std::string to_string(const Tensor& t);
/// The same with what made it: "grad_fn=mul", "leaf" with its name, or nothing for a constant.
std::string to_string(const Var& v);
std::ostream& operator<<(std::ostream& out, const Tensor& t);
std::ostream& operator<<(std::ostream& out, const Var& v);

}  // namespace seminar::inline SEMINAR_PRECISION

template <>
struct fmt::formatter<seminar::Tensor> : fmt::formatter<std::string_view> {
  auto format(const seminar::Tensor& t, fmt::format_context& context) const {
    return fmt::formatter<std::string_view>::format(seminar::to_string(t), context);
  }
};
template <>
struct fmt::formatter<seminar::Var> : fmt::formatter<std::string_view> {
  auto format(const seminar::Var& v, fmt::format_context& context) const {
    return fmt::formatter<std::string_view>::format(seminar::to_string(v), context);
  }
};
