// Chapter 3: one target asks, L behaviours answer (docs/tour/3-attention.md).
#include <fmt/core.h>

#include <cmath>

#include "nn/attention.h"

namespace {

using namespace seminar;

// The textbook form: keys and values are projected one by one, head by head.
Var textbook(const Var& q, const Var& keys, const TargetAttention& a) {
  const int64_t heads = a.wq.shape()[0], d = a.wq.shape()[1];
  std::vector<Var> out;
  for (int64_t h = 0; h < heads; ++h) {
    const auto head = [&](const Var& w) { return reshape(slice(w, 0, h, h + 1), {d, d}); };
    const Var scores = matmul_transposed(matmul(q, head(a.wq)), matmul(keys, head(a.wk)));
    out.push_back(matmul(softmax(scale(scores, 1 / std::sqrt(static_cast<real>(d)))), matmul(keys, head(a.wv))));
  }
  return matmul(concat(out, -1), a.wo);
}

double distance(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (int64_t i = 0; i < a.numel(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a.contiguous().data()[i] - b.contiguous().data()[i])));
  return largest;
}

}  // namespace

int main() {
  // By hand: d = 2, one head, identity projections. Behaviour 0 points where the target does.
  Rng rng(1);
  const Tensor q = Tensor::from({1, 1, 2}, {2, 0}), keys = Tensor::from({1, 3, 2}, {1, 0, 0, 1, -1, 0});
  const Tensor eye = Tensor::from({1, 2, 2}, {1, 0, 0, 1}), out = eye.reshape({2, 2});
  const Tensor scores = target_scores(q, keys, eye, eye).value(), p = softmax(scores).value();
  const Tensor x = target_values(p, keys, eye, out).value();
  fmt::print("scores {:7.4f} {:7.4f} {:7.4f}\nweights{:7.4f} {:7.4f} {:7.4f}\nresult {:7.4f} {:7.4f}\n\n",
             scores.at({0, 0, 0}), scores.at({0, 0, 1}), scores.at({0, 0, 2}), p.at({0, 0, 0}), p.at({0, 0, 1}),
             p.at({0, 0, 2}), x.at({0, 0, 0}), x.at({0, 0, 1}));

  // The paper's size: d = 64, H = 4. Folded and textbook form are the same number.
  const int64_t d = 64, heads = 4, length = 200;
  const TargetAttention attention(d, heads, rng.split("attention"));
  const Tensor target = Tensor::normal({1, 1, d}, rng), history = Tensor::normal({1, length, d}, rng);
  const Tensor folded = attention(target, history, {}).value();
  fmt::print("folded and textbook agree to 4 digits: {}\n",
             distance(folded, textbook(target, history, attention).value()) < 5e-5 ? "yes" : "no");
  fmt::print("multiplications a behaviour: textbook {}, folded {}\n", 2 * heads * (d * d + d), 2 * heads * d);

  // Attention does not know in which order the behaviours came.
  Tensor reversed = Tensor::empty(history.shape());
  for (int64_t l = 0; l < length; ++l) std::copy_n(history.data() + l * d, d, reversed.write() + (length - 1 - l) * d);
  fmt::print("history reversed, result the same: {}\n",
             distance(folded, attention(target, reversed, {}).value()) < 5e-5 ? "yes" : "no");
}
