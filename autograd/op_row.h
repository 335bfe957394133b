// An op's test row stands right under the op: OP_ROW(name, samples, errors). It is empty in the shipped library; the
// tests compile the ops with SEMINAR_OP_ROWS and check every row: gradients, forward, threads, leaks, messages.
#pragma once

#ifdef SEMINAR_OP_ROWS

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

/// One use of the op: differentiable inputs, the call, and (if given) the same computed naively.
struct OpSample {
  std::vector<Tensor> inputs;
  std::function<Var(std::span<const Var>)> apply;
  std::function<Tensor(std::span<const Tensor>)> reference = nullptr;
};

/// A wrong call and a part of the message it must throw.
struct OpError {
  std::function<void()> call;
  std::string message;
};

struct OpRow {
  std::function<std::vector<OpSample>(Rng&)> samples;
  std::vector<OpError> errors;
  std::vector<std::size_t> optional{};  ///< inputs that may be undefined, like a bias
};

/// All rows by op name.
std::map<std::string, OpRow>& op_rows();
bool add_op_row(const char* name, OpRow row);

/// A sample with one input.
OpSample one_input(Tensor x, std::function<Var(const Var&)> apply,
                   std::function<Tensor(const Tensor&)> reference = nullptr);

/// For references: y of the shape with y[i] = f(i).
Tensor tabulate(const Shape& shape, const std::function<real(int64_t)>& f);

}  // namespace seminar::inline SEMINAR_PRECISION

#define OP_ROW(name, ...) [[maybe_unused]] static const bool row_of_##name = add_op_row(#name, OpRow(__VA_ARGS__))

#else
#define OP_ROW(name, ...) static_assert(true)
#endif
