#include "pq/rotation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/finite.h"
#include "tensor/gemm.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int max_sweeps = 60;
constexpr double settled = 1e-22;      // off-diagonal part of the squared norm
constexpr double least_moment = 1e-3;  // of the mean: directions no target looks at still count this much

// Second moment XᵀX / n around `mean` (zero if not centred), [d, d].
Tensor moment(const Tensor& points, bool centred) {
  check(points.rank() == 2 && points.size(0) >= 1 && points.size(1) >= 1, "rotation: needs points [n, d], not {}",
        points.shape());
  const int64_t n = points.size(0), d = points.size(1);
  std::vector<double> mean(static_cast<std::size_t>(d), 0), sum(static_cast<std::size_t>(d * d), 0);
  const Tensor x = points.contiguous();
  for (int64_t i = 0; centred && i < n * d; ++i)
    mean[i % d] += static_cast<double>(x.data()[i]) / static_cast<double>(n);
  for (int64_t r = 0; r < n; ++r)
    for (int64_t i = 0; i < d; ++i) {
      const double a = static_cast<double>(x.data()[r * d + i]) - mean[i];
      for (int64_t j = 0; j < d; ++j) sum[i * d + j] += a * (static_cast<double>(x.data()[r * d + j]) - mean[j]);
    }
  Tensor out = Tensor::empty({d, d});
  real* y = out.write();
  for (int64_t i = 0; i < d * d; ++i) y[i] = static_cast<real>(sum[i] / static_cast<double>(n));
  return out;
}

// V diag(f(λ)) Vᵀ
template <class F>
Tensor spectral(const EigenDecomposition& e, const F& f) {
  const int64_t d = e.vectors.size(0);
  Tensor scaled = e.vectors.clone();
  real* x = scaled.write();
  for (int64_t i = 0; i < d * d; ++i) x[i] *= static_cast<real>(f(e.values[i % d]));
  return matmul(scaled, e.vectors.transpose());
}

}  // namespace

EigenDecomposition symmetric_eigen(const Tensor& input) {
  check(input.rank() == 2 && input.size(0) == input.size(1) && input.size(0) >= 1,
        "symmetric_eigen: needs a square matrix, not {}", input.shape());
  const int64_t d = input.size(0);
  const Tensor source = input.contiguous();
  std::vector<double> a(source.data(), source.data() + d * d), v(a.size(), 0);
  const int64_t bad = first_not_finite(source);
  if (bad >= 0) fail("symmetric_eigen: a number is not finite: {}", a[bad]);
  for (int64_t i = 0; i < d; ++i) v[i * d + i] = 1;
  for (int sweep = 0; sweep < max_sweeps; ++sweep) {
    double off = 0, all = 0;
    for (int64_t i = 0; i < d * d; ++i) {
      all += a[i] * a[i];
      if (i / d != i % d) off += a[i] * a[i];
    }
    if (off <= settled * all) break;
    for (int64_t p = 0; p < d; ++p)
      for (int64_t q = p + 1; q < d; ++q) {
        if (a[p * d + q] == 0) continue;
        const double theta = (a[q * d + q] - a[p * d + p]) / (2 * a[p * d + q]);
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        const auto turn = [&](std::vector<double>& m, int64_t step, int64_t i, int64_t j) {
          for (int64_t k = 0; k < d; ++k) {
            double &x = m[k * step + i], &y = m[k * step + j];
            const double old = x;
            x = c * old - s * y;
            y = s * old + c * y;
          }
        };
        turn(a, d, p, q);  // columns
        turn(v, d, p, q);
        for (int64_t k = 0; k < d; ++k) {  // rows
          double &x = a[p * d + k], &y = a[q * d + k];
          const double old = x;
          x = c * old - s * y;
          y = s * old + c * y;
        }
      }
  }
  std::vector<int64_t> order(static_cast<std::size_t>(d));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return a[i * d + i] > a[j * d + j]; });
  EigenDecomposition e{{}, Tensor::empty({d, d})};
  real* out = e.vectors.write();
  for (int64_t j = 0; j < d; ++j) {
    e.values.push_back(a[order[j] * d + order[j]]);
    for (int64_t i = 0; i < d; ++i) out[i * d + j] = static_cast<real>(v[i * d + order[j]]);
  }
  return e;
}

Tensor opq_rotation(const Tensor& points, int64_t sub_quantizers) {
  check(points.rank() == 2 && points.size(1) >= 1, "rotation: needs points [n, d], not {}", points.shape());
  const int64_t d = points.size(1), width = d / std::max<int64_t>(1, sub_quantizers);
  check(sub_quantizers >= 1 && d % sub_quantizers == 0, "rotation: {} sub-quantizers do not divide width {}",
        sub_quantizers, d);
  const EigenDecomposition e = symmetric_eigen(moment(points, true));
  // Axes by falling variance go to the sub-vector whose product of variances is least and that is not full.
  std::vector<double> log_product(static_cast<std::size_t>(sub_quantizers), 0);
  std::vector<std::vector<int64_t>> axes(static_cast<std::size_t>(sub_quantizers));
  const double tiny = 1e-12 * std::max(e.values[0], 1e-300);
  for (int64_t axis = 0; axis < d; ++axis) {
    int64_t best = -1;
    for (int64_t b = 0; b < sub_quantizers; ++b)
      if (std::ssize(axes[b]) < width && (best < 0 || log_product[b] < log_product[best])) best = b;
    axes[best].push_back(axis);
    // Variances relative to the least, so that every axis adds and sub-vectors fill evenly.
    log_product[best] += std::log(std::max(e.values[axis], tiny) / std::max(e.values.back(), tiny)) + 1e-9;
  }
  Tensor rotation = Tensor::empty({d, d});
  real* r = rotation.write();
  for (int64_t b = 0; b < sub_quantizers; ++b)
    for (int64_t j = 0; j < width; ++j)
      for (int64_t i = 0; i < d; ++i) r[i * d + b * width + j] = e.vectors.at({i, axes[b][j]});
  return rotation;
}

ScoreTransform score_transform(const Tensor& keys, const Tensor& targets, int64_t sub_quantizers) {
  check(keys.rank() == 2 && targets.rank() == 2 && keys.size(1) == targets.size(1),
        "score_transform: keys {} and targets {}", keys.shape(), targets.shape());
  const EigenDecomposition e = symmetric_eigen(moment(targets, false));
  double floor = 0;
  for (const double v : e.values) floor += least_moment * std::max(v, 0.0) / static_cast<double>(e.values.size());
  floor = std::max(floor, 1e-30);
  const auto length = [floor](double v) { return std::sqrt(std::max(v, 0.0) + floor); };
  const Tensor stretch = spectral(e, length), shrink = spectral(e, [&](double v) { return 1 / length(v); });
  const Tensor rotation = opq_rotation(matmul(keys, stretch), sub_quantizers);
  return {matmul(stretch, rotation), matmul(shrink, rotation)};
}

}  // namespace seminar::inline SEMINAR_PRECISION
