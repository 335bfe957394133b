#include "nn/optim.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
SparseGradient coalesce(const std::vector<SparseGradient>& parts, int64_t width) {
  std::vector<int32_t> ids;
  std::vector<const real*> rows;
  for (const SparseGradient& part : parts)
    for (int64_t i = 0; i < part.ids.numel(); ++i) {
      ids.push_back(part.ids[i]);
      rows.push_back(part.rows.data() + i * width);
    }
  const Groups groups = group_by_id(ids);
  Tensor sums = Tensor::zeros({static_cast<int64_t>(groups.ids.size()), width});
  parallel_for(sums.size(0), row_grain(4 * width), [&, out = sums.write()](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g)
      for (int64_t i = groups.offsets[g]; i < groups.offsets[g + 1]; ++i)
        kernels().axpy(width, 1, rows[groups.order[i]], out + g * width);
  });
  return {Ids(groups.ids), sums};
}

Tensor dense_gradient(const Var& leaf) {
  if (leaf.sparse_grads().empty()) return leaf.grad();
  Tensor dense = leaf.grad().defined() ? leaf.grad().clone() : Tensor::zeros(leaf.shape());
  for (const SparseGradient& part : leaf.sparse_grads()) scatter_add_rows(dense, part.ids, part.rows);
  return dense;
}

Adam::Adam(Params params, const AdamOptions& options) : Adam(std::vector<ParamGroup>{{std::move(params)}}, options) {}

Adam::Adam(const std::vector<ParamGroup>& groups, const AdamOptions& options) : options_(options) {
  for (const double beta : {options.beta1, options.beta2})
    check(beta >= 0 && beta < 1, "adam: a beta must be in [0, 1): {}", beta);
  for (const double number : {options.lr, options.eps, options.weight_decay})
    check(std::isfinite(number) && number >= 0, "adam: lr, eps and weight_decay must be 0 or more: {}", number);
  for (const ParamGroup& group : groups)
    for (const NamedParam& p : group.params) {
      params_.push_back(p);
      lr_scale_.push_back(group.lr_scale);
      decay_.push_back(group.weight_decay.value_or(p.var.rank() >= 2 ? options.weight_decay : 0));
    }
  moments_.resize(params_.size());
}

void Adam::restore(std::vector<Moments> moments, int64_t steps) {
  if (moments.size() != params_.size()) throw Bug("Adam: the moments are of other parameters");
  moments_ = std::move(moments);
  steps_ = steps;
}

void Adam::step() {
  const FlushDenormals guard;  // the moments of a unit without gradient would end there
  ++steps_;
  const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(steps_));
  const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(steps_));
  for (std::size_t i = 0; i < params_.size(); ++i) {
    const double lr = options_.lr * lr_scale_[i];
    const AdamStep step{static_cast<real>(options_.beta1),
                        static_cast<real>(options_.beta2),
                        static_cast<real>(options_.eps),
                        static_cast<real>(lr / correction1),
                        static_cast<real>(1 / std::sqrt(correction2)),
                        static_cast<real>(lr * decay_[i])};
    Var& var = params_[i].var;
    auto& [m, v] = moments_[i];
    if (!var.grad().defined() && var.sparse_grads().empty()) continue;
    if (!m.defined()) {
      m = Tensor::zeros(var.shape());
      v = Tensor::zeros(var.shape());
    }
    real *p = var.mutable_value().write(), *pm = m.write(), *pv = v.write();
    if (var.sparse_grads().empty() || var.grad().defined()) {
      const Tensor g = dense_gradient(var);
      parallel_for(g.numel(), element_grain, [&](int64_t begin, int64_t end) {
        kernels().adam(end - begin, p + begin, pm + begin, pv + begin, g.data() + begin, step);
      });
    } else {
      const int64_t width = var.size(-1);
      const SparseGradient g = coalesce(var.sparse_grads(), width);
      parallel_for(g.ids.numel(), row_grain(width), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          const int64_t row = g.ids[r] * width;
          kernels().adam(width, p + row, pm + row, pv + row, g.rows.data() + r * width, step);
        }
      });
    }
    var.zero_grad();
  }
}

Sgd::Sgd(Params params, double lr, double momentum)
    : params_(std::move(params)), velocity_(params_.size()), lr_(lr), momentum_(momentum) {
  for (const double number : {lr, momentum})
    check(std::isfinite(number) && number >= 0, "sgd: lr and momentum must be 0 or more: {}", number);
}

void Sgd::step() {
  const FlushDenormals guard;
  for (std::size_t i = 0; i < params_.size(); ++i) {
    Var& var = params_[i].var;
    const Tensor g = dense_gradient(var);
    if (!g.defined()) continue;
    Tensor& velocity = velocity_[i];
    if (!velocity.defined()) velocity = Tensor::zeros(g.shape());
    real *p = var.mutable_value().write(), *u = velocity.write();
    parallel_for(g.numel(), element_grain, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        u[j] = static_cast<real>(momentum_) * u[j] + g.data()[j];
        p[j] -= static_cast<real>(lr_) * u[j];
      }
    });
    var.zero_grad();
  }
}

void zero_grad(const Params& params) {
  for (const NamedParam& p : params) p.var.zero_grad();
}

double clip_grad_norm(const Params& params, double max_norm) {
  check(max_norm > 0, "clip_grad_norm: max_norm must be positive: {}", max_norm);
  const auto square = [](const Tensor& t) {
    return static_cast<double>(sum_all(binary("clip_grad_norm", Binary::mul, t, t)));
  };
  Params once;  // a parameter that two modules share counts once
  std::set<LeafId> listed;
  for (const NamedParam& p : params)
    if (listed.insert(p.var.leaf_id()).second) once.push_back(p);
  double total = 0;
  for (const NamedParam& p : once) {
    if (!p.var.sparse_grads().empty()) {
      SparseGradient g = coalesce(p.var.sparse_grads(), p.var.size(-1));
      total += square(g.rows);
      p.var.set_sparse_grads({std::move(g)});
    }
    if (p.var.grad().defined()) total += square(p.var.grad());
    check(std::isfinite(total), "the gradient of '{}' is not finite", p.name);
  }
  const double norm = std::sqrt(total);
  if (norm <= max_norm) return norm;
  const Tensor factor = Tensor::scalar(static_cast<real>(max_norm / norm));
  const auto scaled = [&](const Tensor& t) { return binary("clip_grad_norm", Binary::mul, t, factor); };
  for (const NamedParam& p : once) {
    if (p.var.grad().defined()) p.var.set_grad(scaled(p.var.grad()));
    std::vector<SparseGradient> parts = p.var.sparse_grads();
    for (SparseGradient& part : parts) part.rows = scaled(part.rows);
    p.var.set_sparse_grads(std::move(parts));
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
