// Times every op's largest sample (autograd/op_row.h), forward and backward: medians, in double precision, so the
// figures compare ops and commits, not libraries.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "autograd/op_row.h"

using namespace seminar;

namespace {

template <class F>
double microseconds(const F& f) {
  const auto begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

int64_t size(const OpSample& sample) {
  int64_t n = 0;
  for (const Tensor& t : sample.inputs) n += t.numel();
  return n;
}

}  // namespace

int main() {
  constexpr int repeats = 101;
  fmt::print("{:<18} {:>9} {:>12} {:>12}\n", "op", "numbers", "forward µs", "backward µs");
  for (const auto& [name, row] : op_rows()) {
    Rng rng(7);
    const std::vector<OpSample> samples = row.samples(rng);
    const OpSample& sample = *std::max_element(samples.begin(), samples.end(),
                                               [](const auto& a, const auto& b) { return size(a) < size(b); });
    std::vector<double> forward, back;
    for (int i = 0; i < repeats; ++i) {
      std::vector<Var> leaves;
      for (const Tensor& t : sample.inputs) leaves.push_back(Var::leaf(t));
      Var y;
      forward.push_back(microseconds([&] { y = sample.apply(leaves); }));
      const Tensor upstream = Tensor::full(y.shape(), 1);
      back.push_back(microseconds([&] { backward(y, upstream); }));
    }
    fmt::print("{:<18} {:>9} {:>12.1f} {:>12.1f}\n", name, size(sample), median(forward), median(back));
  }
}
