#include "autograd/op_row.h"

#ifdef SEMINAR_OP_ROWS
namespace seminar::inline SEMINAR_PRECISION {

std::map<std::string, OpRow>& op_rows() {
  static std::map<std::string, OpRow> rows;
  return rows;
}

bool add_op_row(const char* name, OpRow row) { return op_rows().emplace(name, std::move(row)).second; }

OpSample one_input(Tensor x, std::function<Var(const Var&)> apply, std::function<Tensor(const Tensor&)> reference) {
  OpSample sample{{std::move(x)}, [apply = std::move(apply)](std::span<const Var> in) { return apply(in[0]); }};
  if (reference)
    sample.reference = [reference = std::move(reference)](std::span<const Tensor> in) { return reference(in[0]); };
  return sample;
}

Tensor tabulate(const Shape& shape, const std::function<real(int64_t)>& f) {
  Tensor t = Tensor::empty(shape);
  real* y = t.write();
  for (int64_t i = 0; i < t.numel(); ++i) y[i] = f(i);
  return t;
}

}  // namespace seminar::inline SEMINAR_PRECISION
#endif
