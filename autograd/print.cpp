#include "autograd/print.h"

#include <ostream>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t shown_whole = 6, shown_ends = 3;

// The numbers from `data` on along the axes from `axis` on, in brackets.
void append(std::string& out, const Tensor& t, const real* data, int axis) {
  if (axis == t.rank()) {
    out += fmt::format("{:.4g}", *data);
    return;
  }
  const int64_t n = t.size(axis);
  out += '[';
  for (int64_t i = 0; i < n; ++i) {
    if (i > 0) out += ", ";
    if (n > shown_whole && i == shown_ends) {
      out += "..., ";
      i = n - shown_ends;
    }
    append(out, t, data + i * t.strides()[axis], axis + 1);
  }
  out += ']';
}

std::string text(const Tensor& t, const std::string& origin) {
  if (!t.defined()) return "tensor(undefined)";
  std::string out = "tensor(";
  append(out, t, t.data(), 0);
  return out + fmt::format(", shape {}{})", t.shape(), origin);
}

}  // namespace

std::string to_string(const Tensor& t) { return text(t, ""); }

std::string to_string(const Var& v) {
  if (!v.node()) return text(v.value(), "");
  const Node& node = *v.node().get();
  if (!node.leaf) return text(v.value(), fmt::format(", grad_fn={}", node.op));
  return text(v.value(), node.name.empty() ? ", leaf" : fmt::format(", leaf '{}'", node.name));
}

std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << to_string(t); }
std::ostream& operator<<(std::ostream& out, const Var& v) { return out << to_string(v); }

}  // namespace seminar::inline SEMINAR_PRECISION
