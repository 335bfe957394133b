// Optimizers, gradient clipping and learning-rate schedules.
#pragma once

#include <vector>

#include "nn/module.h"

namespace seminar::inline SEMINAR_PRECISION {

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  /// Decoupled, as in AdamW: p -= lr · weight_decay · p. Only for parameters with two axes or more: biases and the
  /// weights of norms do not decay, unless they are in a ParamGroup that says so.
  double weight_decay = 0;
};

/// Parameters with options of their own.
struct ParamGroup {
  Params params;
  double lr_scale = 1;                   ///< times the optimizer's lr
  std::optional<double> weight_decay{};  ///< of all of them, instead of the optimizer's
};

/// Drops all gradients.
void zero_grad(const Params& params);

/// Adam and AdamW. Throws Error for options out of range. Parameters with sparse gradients are updated only in the rows
/// that were read (as PyTorch's SparseAdam); their other rows do not move, by momentum or decay.
class Adam {
 public:
  Adam(Params params, const AdamOptions& options);
  Adam(const std::vector<ParamGroup>& groups, const AdamOptions& options);
  /// One update from the gradients at hand; parameters without a gradient stay. Gradients are cleared.
  void step();
  void set_lr(double lr) { options_.lr = lr; }
  /// Drops all gradients.
  void zero_grad() const { seminar::zero_grad(params_); }
  int64_t steps() const { return steps_; }

  /// Running means of a parameter's gradient and its square; undefined before its first gradient.
  struct Moments {
    Tensor m, v;
  };
  /// One per parameter, in their order: with steps() all that the next update depends on.
  const std::vector<Moments>& moments() const { return moments_; }
  /// Goes on from moments and steps of an earlier Adam of the same parameters.
  void restore(std::vector<Moments> moments, int64_t steps);

 private:
  Params params_;
  std::vector<double> lr_scale_, decay_;  // of each parameter
  std::vector<Moments> moments_;
  AdamOptions options_;
  int64_t steps_ = 0;
};

/// p -= lr · u with u = momentum · u + g.
class Sgd {
 public:
  Sgd(Params params, double lr, double momentum = 0);
  /// One update from the gradients at hand (sparse gradients are made dense). Gradients are cleared.
  void step();

 private:
  Params params_;
  std::vector<Tensor> velocity_;
  double lr_, momentum_;
};

/// All sparse gradients of a table of this width as one: every id once, ascending, rows summed in order of arrival.
SparseGradient coalesce(const std::vector<SparseGradient>& parts, int64_t width);
/// All gradients of a leaf as one dense tensor; undefined if it has none.
Tensor dense_gradient(const Var& leaf);

/// Scales all gradients so that their joint length is at most `max_norm`; returns the length before. A parameter that
/// is listed twice counts once. Throws Error naming the first parameter whose gradient is not finite.
double clip_grad_norm(const Params& params, double max_norm);

/// Linear warm-up over `warmup` steps, then a cosine from 1 down to 0 at `total`: the factor for step `step` (from 0).
double cosine_schedule(int64_t step, int64_t warmup, int64_t total);

}  // namespace seminar::inline SEMINAR_PRECISION
