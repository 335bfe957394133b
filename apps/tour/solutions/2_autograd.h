// Chapter 2, the solution: an autograd for matrices.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <vector>

namespace tour {

using Numbers = std::vector<double>;

/// A matrix that takes part in differentiation, and how it was made. Row-major: element (i, j) is number i · cols + j.
struct Node {
  std::size_t rows = 0, cols = 0;
  Numbers value, grad;                            // of the same size
  std::vector<std::shared_ptr<Node>> parents;     // the inputs of the op that made it; none for a leaf
  std::function<void(const Node& out)> backward;  // adds to the gradients of the parents
  long created = 0;                               // counts upwards: an op is younger than its inputs
};
using Var = std::shared_ptr<Node>;

/// A new node with gradient zero.
inline Var make(std::size_t rows, std::size_t cols, Numbers value, std::vector<Var> parents = {}) {
  static long count = 0;
  auto node = std::make_shared<Node>();
  node->rows = rows, node->cols = cols;
  node->value = std::move(value);
  node->value.resize(rows * cols);
  node->grad.assign(rows * cols, 0);
  node->parents = std::move(parents);
  node->created = ++count;
  return node;
}

/// y = a + b. b has the shape of a, or one row that is repeated.
inline Var add(const Var& a, const Var& b) {
  Var y = make(a->rows, a->cols, a->value, {a, b});
  for (std::size_t i = 0; i < y->value.size(); ++i) y->value[i] += b->value[i % b->value.size()];
  y->backward = [a, b](const Node& out) {
    for (std::size_t i = 0; i < out.grad.size(); ++i) {
      a->grad[i] += out.grad[i];
      b->grad[i % b->grad.size()] += out.grad[i];
    }
  };
  return y;
}

/// y = a ∘ b, element by element.
inline Var mul(const Var& a, const Var& b) {
  Var y = make(a->rows, a->cols, a->value, {a, b});
  for (std::size_t i = 0; i < y->value.size(); ++i) y->value[i] *= b->value[i];
  y->backward = [a, b](const Node& out) {
    for (std::size_t i = 0; i < out.grad.size(); ++i) {
      a->grad[i] += out.grad[i] * b->value[i];
      b->grad[i] += out.grad[i] * a->value[i];
    }
  };
  return y;
}

/// y = a b: [n, k] times [k, m].
inline Var matmul(const Var& a, const Var& b) {
  const std::size_t n = a->rows, k = a->cols, m = b->cols;
  Var y = make(n, m, {}, {a, b});
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < m; ++j)
      for (std::size_t l = 0; l < k; ++l) y->value[i * m + j] += a->value[i * k + l] * b->value[l * m + j];
  y->backward = [a, b, n, k, m](const Node& out) {
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < m; ++j)
        for (std::size_t l = 0; l < k; ++l) {
          a->grad[i * k + l] += out.grad[i * m + j] * b->value[l * m + j];
          b->grad[l * m + j] += a->value[i * k + l] * out.grad[i * m + j];
        }
  };
  return y;
}

/// y = tanh(x).
inline Var tanh(const Var& x) {
  Var y = make(x->rows, x->cols, x->value, {x});
  for (double& v : y->value) v = std::tanh(v);
  y->backward = [x](const Node& out) {
    for (std::size_t i = 0; i < out.grad.size(); ++i) x->grad[i] += out.grad[i] * (1 - out.value[i] * out.value[i]);
  };
  return y;
}

/// y = softmax of each row of x.
inline Var softmax(const Var& x) {
  Var y = make(x->rows, x->cols, x->value, {x});
  for (std::size_t row = 0; row < x->rows; ++row) {
    double* v = y->value.data() + row * x->cols;
    const double most = *std::max_element(v, v + x->cols);
    double total = 0;
    for (std::size_t j = 0; j < x->cols; ++j) total += v[j] = std::exp(v[j] - most);
    for (std::size_t j = 0; j < x->cols; ++j) v[j] /= total;
  }
  y->backward = [x](const Node& out) {
    for (std::size_t row = 0; row < x->rows; ++row) {
      const double *p = out.value.data() + row * x->cols, *g = out.grad.data() + row * x->cols;
      double dot = 0;
      for (std::size_t j = 0; j < x->cols; ++j) dot += g[j] * p[j];
      for (std::size_t j = 0; j < x->cols; ++j) x->grad[row * x->cols + j] += p[j] * (g[j] - dot);
    }
  };
  return y;
}

/// y = the mean of all numbers of x, a 1 × 1 matrix.
inline Var mean(const Var& x) {
  Var y = make(1, 1, {}, {x});
  const auto n = static_cast<double>(x->value.size());
  for (const double v : x->value) y->value[0] += v / n;
  y->backward = [x, n](const Node& out) {
    for (double& g : x->grad) g += out.grad[0] / n;
  };
  return y;
}

/// Computes the gradients of all nodes below y, where `upstream` is the gradient of y. Gradients add up to what a leaf
/// already has. Each node runs once, after all its consumers.
inline void backward(const Var& y, const Numbers& upstream) {
  std::set<Node*> seen{y.get()};
  std::vector<Node*> order{y.get()};
  for (std::size_t i = 0; i < order.size(); ++i)
    for (const Var& parent : order[i]->parents)
      if (seen.insert(parent.get()).second) order.push_back(parent.get());
  std::sort(order.begin(), order.end(), [](const Node* a, const Node* b) { return a->created > b->created; });
  for (std::size_t i = 0; i < upstream.size(); ++i) y->grad[i] += upstream[i];
  for (Node* node : order)
    if (node->backward) node->backward(*node);
}

}  // namespace tour
