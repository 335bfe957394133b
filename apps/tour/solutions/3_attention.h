// Chapter 3, the solution.
#pragma once

#include <cmath>
#include <vector>

namespace tour {

template <class T>
using Row = std::vector<T>;
template <class T>
using Matrix = std::vector<Row<T>>;

template <class T>
Row<T> softmax(const Row<T>& scores, const std::vector<bool>& real) {
  using std::exp;
  T highest = 0, total = 0;
  bool any = false;
  for (std::size_t l = 0; l < scores.size(); ++l)
    if (real[l] && (!any || highest < scores[l])) highest = scores[l], any = true;
  Row<T> p(scores.size(), T(0));
  for (std::size_t l = 0; l < scores.size(); ++l)
    if (real[l]) total = total + (p[l] = exp(scores[l] - highest));
  for (T& v : p)
    if (any) v = v / total;
  return p;
}

/// x w: a row times a matrix.
template <class T>
Row<T> times(const Row<T>& x, const Matrix<T>& w) {
  Row<T> y(w[0].size(), T(0));
  for (std::size_t i = 0; i < w.size(); ++i)
    for (std::size_t j = 0; j < y.size(); ++j) y[j] = y[j] + x[i] * w[i][j];
  return y;
}

template <class T>
T dot(const Row<T>& x, const Row<T>& y) {
  T total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) total = total + x[i] * y[i];
  return total;
}

template <class T>
Row<T> target_attention(const Row<T>& q, const Matrix<T>& keys, const std::vector<bool>& real, const Matrix<T>& wq,
                        const Matrix<T>& wk, const Matrix<T>& wv) {
  const Row<T> projected = times(q, wq);  // q W^Q
  Row<T> asked;                           // q W^Q W^Kᵀ: column i is a product with row i of W^K
  for (const Row<T>& row : wk) asked.push_back(dot(projected, row));
  Row<T> scores;
  for (const Row<T>& key : keys) scores.push_back(dot(asked, key) / T(std::sqrt(static_cast<double>(q.size()))));
  const Row<T> p = softmax(scores, real);
  Row<T> pooled(q.size(), T(0));  // Σ_l p_l k_l
  for (std::size_t l = 0; l < keys.size(); ++l)
    for (std::size_t i = 0; i < pooled.size(); ++i) pooled[i] = pooled[i] + p[l] * keys[l][i];
  return times(pooled, wv);
}

}  // namespace tour
