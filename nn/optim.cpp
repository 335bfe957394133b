#include "nn/optim.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/parallel.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

void clear(Node& node) {
  node.grad = Tensor();
  node.row_grads.clear();
}

}  // namespace

RowGradient coalesce(const std::vector<RowGradient>& parts, int64_t width) {
  std::vector<int32_t> ids;
  std::vector<const real*> rows;
  for (const RowGradient& part : parts)
    for (int64_t i = 0; i < part.ids.numel(); ++i) {
      ids.push_back(part.ids[i]);
      rows.push_back(part.rows.data() + i * width);
    }
  const Groups groups = group_by_id(ids);
  Tensor sums = Tensor::zeros({static_cast<int64_t>(groups.ids.size()), width});
  parallel_for(sums.size(0), row_grain(4 * width), [&, out = sums.write()](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g)
      for (int64_t i = groups.start[g]; i < groups.start[g + 1]; ++i)
        kernels().axpy(width, 1, rows[groups.order[i]], out + g * width);
  });
  return {Ids(groups.ids), sums};
}

namespace {

// The gradient as one dense tensor; undefined if there is none.
Tensor dense_gradient(const Node& node) {
  if (node.row_grads.empty()) return node.grad;
  Tensor dense = node.grad.defined() ? node.grad.clone() : Tensor::zeros(node.shape);
  for (const RowGradient& part : node.row_grads) scatter_add_rows(dense, part.ids, part.rows);
  return dense;
}

}  // namespace

Adam::Adam(Params params, const AdamOptions& options)
    : params_(std::move(params)), moments_(params_.size()), options_(options) {}

void Adam::restore(std::vector<Moments> moments, int64_t steps) {
  if (moments.size() != params_.size()) throw Bug("Adam: the moments are of other parameters");
  moments_ = std::move(moments);
  steps_ = steps;
}

void Adam::step() {
  ++steps_;
  const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(steps_));
  const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(steps_));
  const AdamStep step{static_cast<real>(options_.beta1),
                      static_cast<real>(options_.beta2),
                      static_cast<real>(options_.eps),
                      static_cast<real>(options_.lr / correction1),
                      static_cast<real>(1 / std::sqrt(correction2)),
                      static_cast<real>(options_.lr * options_.weight_decay)};
  for (std::size_t i = 0; i < params_.size(); ++i) {
    Node& node = *params_[i].var.node().get();
    Tensor& value = params_[i].var.mutable_value();
    auto& [m, v] = moments_[i];
    if (!node.grad.defined() && node.row_grads.empty()) continue;
    if (!m.defined()) {
      m = Tensor::zeros(value.shape());
      v = Tensor::zeros(value.shape());
    }
    real *p = value.write(), *pm = m.write(), *pv = v.write();
    if (node.row_grads.empty() || node.grad.defined()) {
      const Tensor g = dense_gradient(node);
      parallel_for(value.numel(), 16384, [&](int64_t begin, int64_t end) {
        kernels().adam(end - begin, p + begin, pm + begin, pv + begin, g.data() + begin, step);
      });
    } else {
      const int64_t width = value.size(-1);
      const RowGradient g = coalesce(node.row_grads, width);
      parallel_for(g.ids.numel(), row_grain(width), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          const int64_t at = g.ids[r] * width;
          kernels().adam(width, p + at, pm + at, pv + at, g.rows.data() + r * width, step);
        }
      });
    }
    clear(node);
  }
}

Sgd::Sgd(Params params, double lr, double momentum)
    : params_(std::move(params)), velocity_(params_.size()), lr_(lr), momentum_(momentum) {}

void Sgd::step() {
  for (std::size_t i = 0; i < params_.size(); ++i) {
    Node& node = *params_[i].var.node().get();
    const Tensor g = dense_gradient(node);
    if (!g.defined()) continue;
    Tensor& u = velocity_[i];
    if (!u.defined()) u = Tensor::zeros(g.shape());
    real *p = params_[i].var.mutable_value().write(), *pu = u.write();
    parallel_for(g.numel(), 16384, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        pu[j] = static_cast<real>(momentum_) * pu[j] + g.data()[j];
        p[j] -= static_cast<real>(lr_) * pu[j];
      }
    });
    clear(node);
  }
}

void zero_grad(const Params& params) {
  for (const NamedParam& p : params) clear(*p.var.node().get());
}

double clip_grad_norm(const Params& params, double max_norm) {
  check(max_norm > 0, "clip_grad_norm: max_norm must be positive: {}", max_norm);
  const auto square = [](const Tensor& t) {
    return static_cast<double>(sum_all(binary("clip_grad_norm", Binary::mul, t, t)));
  };
  double total = 0;
  for (const NamedParam& p : params) {
    Node& node = *p.var.node().get();
    if (!node.row_grads.empty()) node.row_grads = {coalesce(node.row_grads, node.shape[-1])};
    if (node.grad.defined()) total += square(node.grad);
    for (const RowGradient& part : node.row_grads) total += square(part.rows);
    check(std::isfinite(total), "the gradient of '{}' is not finite", p.name);
  }
  const double norm = std::sqrt(total);
  if (norm <= max_norm) return norm;
  const Tensor factor = Tensor::scalar(static_cast<real>(max_norm / norm));
  for (const NamedParam& p : params) {
    Node& node = *p.var.node().get();
    if (node.grad.defined()) node.grad = binary("clip_grad_norm", Binary::mul, node.grad, factor);
    for (RowGradient& part : node.row_grads) part.rows = binary("clip_grad_norm", Binary::mul, part.rows, factor);
  }
  return norm;
}

double cosine_schedule(int64_t step, int64_t warmup, int64_t total) {
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (total <= warmup) return 1;
  const double t = std::min(1.0, static_cast<double>(step - warmup) / static_cast<double>(total - warmup));
  return 0.5 * (1 + std::cos(std::numbers::pi * t));
}

}  // namespace seminar::inline SEMINAR_PRECISION
