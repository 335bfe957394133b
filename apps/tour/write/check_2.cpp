// Checks chapter 2's part to write yourself: gradients against central differences, then XOR.
#include EXERCISE
#include <random>

#include "grader.h"

using namespace tour;
using tour::Numbers;

namespace {

std::mt19937_64 generator(1);

Numbers random_numbers(std::size_t n) {
  std::uniform_real_distribution<double> uniform(-1, 1);
  Numbers numbers(n);
  for (double& v : numbers) v = uniform(generator);
  return numbers;
}

// Compares the gradients of the inputs with central differences of Σ upstream · f(inputs), for a random upstream.
void check_gradients(Grader& grader, const char* what, const std::vector<Var>& inputs, const std::function<Var()>& f) {
  const Numbers upstream = random_numbers(f()->value.size());
  const auto weighted = [&] {
    double total = 0;
    const Var y = f();
    for (std::size_t i = 0; i < upstream.size(); ++i) total += upstream[i] * y->value[i];
    return total;
  };
  Numbers expected, got;
  for (const Var& input : inputs)
    for (double& v : input->value) {
      const double before = v, step = 1e-5;
      v = before + step;
      const double above = weighted();
      v = before - step;
      expected.push_back((above - weighted()) / (2 * step));
      v = before;
    }
  backward(f(), upstream);
  for (const Var& input : inputs) got.insert(got.end(), input->grad.begin(), input->grad.end());
  grader.expect(what, expected, [&] { return got; });
}

// Mean squared error of a network 2 → 8 → 1 on XOR after 500 steps.
double train_xor() {
  const Var x = make(4, 2, {0, 0, 0, 1, 1, 0, 1, 1}), minus_y = make(4, 1, {0, -1, -1, 0});
  const std::vector<Var> parameters{make(2, 8, random_numbers(16)), make(1, 8, random_numbers(8)),
                                    make(8, 1, random_numbers(8)), make(1, 1, {0})};
  double loss = 0;
  for (int step = 0; step < 500; ++step) {
    const Var hidden = tanh(add(matmul(x, parameters[0]), parameters[1]));
    const Var error = add(add(matmul(hidden, parameters[2]), parameters[3]), minus_y);
    const Var squared = mean(mul(error, error));
    loss = squared->value[0];
    for (const Var& p : parameters) p->grad.assign(p->grad.size(), 0);
    backward(squared, {1});
    for (const Var& p : parameters)
      for (std::size_t i = 0; i < p->value.size(); ++i) p->value[i] -= 0.2 * p->grad[i];
  }
  return loss;
}

}  // namespace

int main() {
  Grader grader;
  const auto matrix = [](std::size_t rows, std::size_t cols) { return make(rows, cols, random_numbers(rows * cols)); };
  const Var a = matrix(3, 4), b = matrix(3, 4), row = matrix(1, 4);
  check_gradients(grader, "add", {a, b}, [&] { return add(a, b); });
  const Var c = matrix(3, 4);
  check_gradients(grader, "add, one row repeated", {c, row}, [&] { return add(c, row); });
  const Var d = matrix(3, 4), e = matrix(3, 4);
  check_gradients(grader, "mul", {d, e}, [&] { return mul(d, e); });
  const Var f = matrix(3, 4), g = matrix(4, 2);
  check_gradients(grader, "matmul", {f, g}, [&] { return matmul(f, g); });
  const Var h = matrix(3, 4), i = matrix(3, 4), j = matrix(3, 4);
  check_gradients(grader, "tanh", {h}, [&] { return tanh(h); });
  check_gradients(grader, "softmax", {i}, [&] { return softmax(i); });
  check_gradients(grader, "mean", {j}, [&] { return mean(j); });
  grader.expect("c = b², b = a + a, a = 3: the gradient of a is 24", {24}, [] {
    const Var leaf = make(1, 1, {3}), twice = add(leaf, leaf);
    backward(mul(twice, twice), {1});
    return leaf->grad;
  });
  grader.expect("two losses add up in a leaf: 2 · 3 + 1", {7}, [] {
    const Var leaf = make(1, 1, {3});
    backward(mul(leaf, leaf), {1});
    backward(mean(leaf), {1});
    return leaf->grad;
  });
  grader.expect("a network learns XOR: mean squared error below 0.01 after 500 steps (1 = yes)", {1},
                [] { return Numbers{train_xor() < 0.01 ? 1.0 : 0.0}; });
  return grader.finish();
}
