// Losses that are one op each, so that no probability table has to be kept.
#include <algorithm>
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/gemm.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

// loss = mean over rows of log Σ exp(x) - x[target]:  dx = (softmax(x) - onehot) g / rows. Saves the log probabilities.
Var cross_entropy(const Var& logits, const Ids& target) {
  check(logits.rank() == 2 && target.numel() == logits.size(0), "cross_entropy: logits {} for {} targets",
        logits.shape(), target.numel());
  const Tensor x = logits.value().contiguous();
  const int64_t rows = x.size(0), n = x.size(1);
  int64_t used = 0;
  for (int64_t r = 0; r < rows; ++r) {
    check(target[r] >= -1 && target[r] < n, "cross_entropy: target {} of {} classes in row {}", target[r], n, r);
    used += target[r] >= 0;
  }
  check(used > 0, "cross_entropy: no row has a target");
  Tensor log_p = Tensor::empty(x.shape()), losses = Tensor::zeros({rows});
  parallel_for(rows, row_grain(4 * n), [&, lp = log_p.write(), out = losses.write()](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const real total = kernels().log_sum_exp(n, x.data() + r * n);
      kernels().binary(Binary::sub, n, lp + r * n, x.data() + r * n, 1, &total, 0);
      if (target[r] >= 0) out[r] = -lp[r * n + target[r]];
    }
  });
  const real share = 1 / static_cast<real>(used);
  return record("cross_entropy", Tensor::scalar(sum_all(losses) * share), {logits},
                [target, log_p = Saved(log_p), share, rows, n](const Tensor& g, Sink in) {
                  const real s = g.item() * share;
                  real* dx = in.acc(0).write();
                  parallel_for(rows, row_grain(4 * n), [&, lp = log_p->data()](int64_t begin, int64_t end) {
                    std::vector<real> p(static_cast<std::size_t>(n));
                    for (int64_t r = begin; r < end; ++r) {
                      if (target[r] < 0) continue;
                      kernels().unary(Unary::exp, n, p.data(), lp + r * n);
                      kernels().axpy(n, s, p.data(), dx + r * n);
                      dx[r * n + target[r]] -= s;
                    }
                  });
                });
}
OP_ROW(cross_entropy, {.samples =
                           [](Rng& rng) {
                             const Ids target({2, 0, -1, 4});
                             std::vector<OpSample> samples;
                             for (double size : {3.0, 80.0})
                               samples.push_back({{Tensor::normal({4, 5}, rng, size)},
                                                  [=](std::span<const Var> in) { return cross_entropy(in[0], target); },
                                                  [=](std::span<const Tensor> in) {
                                                    real loss = 0;
                                                    for (int64_t r : {0, 1, 3}) {
                                                      real total = 0;
                                                      for (int64_t i = 0; i < 5; ++i)
                                                        total += std::exp(in[0].at({r, i}) - in[0].at({r, target[r]}));
                                                      loss += std::log(total) / 3;
                                                    }
                                                    return Tensor::scalar(loss);
                                                  }});
                             samples.push_back({{Tensor::normal({1, 1}, rng)}, [](std::span<const Var> in) {
                                                  return cross_entropy(in[0], Ids({0}));
                                                }});
                             return samples;
                           },
                       .errors = {{[] {
                                     cross_entropy(Tensor::zeros({2, 3}), Ids({0, 3}));
                                   },
                                   "cross_entropy: target 3 of 3 classes in row 1"},
                                  {[] {
                                     cross_entropy(Tensor::zeros({2, 3}), Ids({-1, -1}));
                                   },
                                   "cross_entropy: no row has a target"},
                                  {[] {
                                     cross_entropy(Tensor::zeros({2, 3}), Ids({0}));
                                   },
                                   "cross_entropy: logits [2, 3] for 1 targets"}}});

// loss = mean of max(x, 0) - x t + log(1 + e^-|x|):  dx = (σ(x) - t) g / n. Saves x and the target.
Var bce_with_logits(const Var& logits, const Tensor& target, const Tensor& weight) {
  check(target.shape() == logits.shape() && (!weight.defined() || weight.shape() == logits.shape()),
        "bce_with_logits: logits {}, target {}, weight {}", logits.shape(), target.shape(), weight.shape());
  const Tensor x = logits.value().contiguous(), t = target.contiguous();
  const Tensor w = weight.defined() ? weight.contiguous() : Tensor::full(x.shape(), 1);
  const real total = sum_all(w);
  check(total > 0, "bce_with_logits: no element takes part: shape {}", x.shape());
  Tensor losses = Tensor::empty(x.shape());
  parallel_for(x.numel(), 4096, [&, out = losses.write()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const real v = x.data()[i];
      out[i] = w.data()[i] * (std::max(v, real{0}) - v * t.data()[i] + std::log1p(std::exp(-std::abs(v))));
    }
  });
  return record("bce_with_logits", Tensor::scalar(sum_all(losses) / total), {logits},
                [x = Saved(x), t = Saved(t), w = Saved(w), total](const Tensor& g, Sink in) {
                  const real s = g.item() / total;
                  real* dx = in.acc(0).write();
                  parallel_for(x->numel(), 4096,
                               [&, px = x->data(), pt = t->data(), pw = w->data()](int64_t begin, int64_t end) {
                                 std::vector<real> p(static_cast<std::size_t>(end - begin));
                                 kernels().unary(Unary::sigmoid, end - begin, p.data(), px + begin);
                                 for (int64_t i = begin; i < end; ++i) dx[i] += s * pw[i] * (p[i - begin] - pt[i]);
                               });
                });
}
OP_ROW(bce_with_logits,
       {.samples =
            [](Rng& rng) {
              const Tensor target = Tensor::from({2, 3}, {0, 1, 1, 0, 0.25, 1}),
                           weight = Tensor::from({2, 3}, {1, 1, 0, 1, 1, 1});
              const auto reference = [target](const Tensor& w) {
                return [=](std::span<const Tensor> in) {
                  real loss = 0, total = 0;
                  for (int64_t i = 0; i < 6; ++i) {
                    const real p = 1 / (1 + std::exp(-in[0].data()[i])), t = target.data()[i];
                    loss -= w.data()[i] * (t * std::log(p) + (1 - t) * std::log1p(-p));
                    total += w.data()[i];
                  }
                  return Tensor::scalar(loss / total);
                };
              };
              return std::vector<OpSample>{
                  {{Tensor::normal({2, 3}, rng, 3)},
                   [=](std::span<const Var> in) { return bce_with_logits(in[0], target); },
                   reference(Tensor::full({2, 3}, 1))},
                  {{Tensor::normal({2, 3}, rng, 3)},
                   [=](std::span<const Var> in) { return bce_with_logits(in[0], target, weight); },
                   reference(weight)},
                  {{Tensor::normal({2, 3}, rng, 80)},
                   [=](std::span<const Var> in) { return bce_with_logits(in[0], target); }},
                  {{Tensor::normal({5000}, rng)},
                   [large = Tensor::uniform({5000}, rng, 0, 1)](std::span<const Var> in) {
                     return bce_with_logits(in[0], large);
                   }}};
            },
        .errors = {{[] { bce_with_logits(Tensor::zeros({2}), Tensor::zeros({3})); },
                    "bce_with_logits: logits [2], target [3]"},
                   {[] { bce_with_logits(Tensor::zeros({2}), Tensor::zeros({2}), Tensor::zeros({2})); },
                    "bce_with_logits: no element takes part"}}});

namespace {

// Pairs up to which BLAS takes longer to pack than to multiply.
constexpr int64_t few_pairs = 48;

int64_t padded(int64_t n) { return round_up(n, kernel_lanes); }

// The chunks of a batch of sequences, "runs": `run` positions each but for the last of a sequence. Rows of those that
// the mask leaves are packed, if it does not leave all.
struct ClipRuns {
  int64_t length, d, run, count;  // a sequence's positions, width, positions of a run, runs of a sequence
  Tensor keep;
  struct Run {
    int64_t first;
    std::vector<int64_t> at;  // the positions that take part
    bool all = false;
    std::vector<real> packed;
    int64_t pairs() const { return std::ssize(at); }
  };
  ClipRuns(const Shape& shape, int64_t chunks, const Tensor& mask)
      : length(shape[1]),
        d(shape[2]),
        run(std::max<int64_t>(1, (length + chunks - 1) / chunks)),
        count((length + run - 1) / run),
        keep(mask.defined() ? mask.contiguous() : Tensor()) {}
  int64_t first(int64_t r) const { return r / count * length + r % count * run; }
  int64_t positions(int64_t r) const { return std::min(run, length - r % count * run); }
  void find(int64_t r, Run& found) const {
    found.first = first(r);
    found.at.clear();
    for (int64_t i = found.first; i < found.first + positions(r); ++i)
      if (!keep.defined() || keep.data()[i] != 0) found.at.push_back(i);
    found.all = found.pairs() == positions(r);
    if (!found.all) found.packed.resize(static_cast<std::size_t>(2 * found.pairs() * d));
  }
  // The rows of x that take part, in place `slot` of the packed ones.
  const real* rows(const real* x, Run& found, int64_t slot) const {
    if (found.all) return x + found.first * d;
    real* out = found.packed.data() + slot * found.pairs() * d;
    for (int64_t i = 0; i < found.pairs(); ++i) std::copy_n(x + found.at[i] * d, d, out + i * d);
    return out;
  }
  int64_t scores_size() const { return run * padded(run); }
};

// S = s A Bᵀ [n, padded(n)] of one run.
void clip_scores(int64_t n, int64_t d, real s, const real* a, const real* b, real* p, std::vector<real>& room) {
  const int64_t ld = padded(n);
  if (n > few_pairs) return gemm(false, true, n, n, d, s, a, d, b, d, 0, p, ld);
  room.resize(static_cast<std::size_t>(d * ld));
  kernels().transpose(n, d, b, d, room.data(), ld);
  kernels().small_gemm(n, ld, d, s, a, d, 1, room.data(), ld, false, p, ld);
}

// y = scale P x, or Pᵀ x, or added to y; P [n, padded(n)], x and y [n, d].
void clip_gradient(bool transposed, int64_t n, int64_t d, real scale, const real* p, const real* x, bool add, real* y) {
  const int64_t ld = padded(n);
  if (n > few_pairs) return gemm(transposed, false, n, d, n, scale, p, ld, x, d, add ? 1 : 0, y, d);
  kernels().small_gemm(n, d, n, scale, p, transposed ? 1 : ld, transposed ? ld : 1, x, d, add, y, d);
}

}  // namespace

// S = s A Bᵀ of a run of n pairs: loss = Σ_i (lse_row_i + lse_col_i - 2 S_ii) / 2n, summed over runs, per sequence.
// dA = s dS B, dB = s dSᵀ A, ds = Σ S dS / s with dS = (softmax over rows + softmax over columns - 2 I) / 2n.
// Saves the inputs and 2n dS, which forward has at hand.
Var clip_loss(const Var& a, const Var& b, const Var& logit_scale, int64_t chunks, const Tensor& mask) {
  check(a.rank() == 3 && a.shape() == b.shape(), "clip_loss: needs two tensors [B, L, d]: {} and {}", a.shape(),
        b.shape());
  const int64_t batch = a.size(0), d = a.size(2);
  check(chunks >= 1, "clip_loss: chunks must be at least 1: {}", chunks);
  check(!mask.defined() || mask.shape() == Shape({batch, a.size(1)}), "clip_loss: mask {} for {}", mask.shape(),
        a.shape());
  const real s = logit_scale.value().item();
  check(s > 0, "clip_loss: logit_scale must be positive: {}", s);
  const Tensor ta = a.value().contiguous(), tb = b.value().contiguous();
  const ClipRuns runs(a.shape(), chunks, mask);
  const int64_t all = batch * runs.count, runs_at_once = row_grain(runs.run * d);
  Tensor gradients = Tensor::empty({all, runs.scores_size()}), results = Tensor::zeros({2, all});
  const auto forward = [&, p = gradients.write(), out = results.write()](int64_t begin, int64_t end) {
    std::vector<real> room, work(static_cast<std::size_t>(3 * padded(runs.run)));
    ClipRuns::Run found;
    for (int64_t r = begin; r < end; ++r) {
      runs.find(r, found);
      if (r + 1 < all) {
        prefetch(ta.data() + runs.first(r + 1) * d, runs.positions(r + 1) * d);
        prefetch(tb.data() + runs.first(r + 1) * d, runs.positions(r + 1) * d);
      }
      const int64_t n = found.pairs();
      if (n < 2) continue;  // a single pair has nothing to be told apart from
      real* scores = p + r * runs.scores_size();
      clip_scores(n, d, s, runs.rows(ta.data(), found, 0), runs.rows(tb.data(), found, 1), scores, room);
      const real share = 1 / static_cast<real>(2 * n);
      real moment = 0;
      out[r] = share * kernels().clip_loss_rows(n, padded(n), scores, work.data(), &moment);
      out[all + r] = share * moment / s;
    }
  };
  parallel_for(all, runs_at_once, forward);
  const real share = 1 / static_cast<real>(std::max<int64_t>(1, batch));
  const real loss = sum_all(results.slice(0, 0, 1)) * share, ds = sum_all(results.slice(0, 1, 2)) * share;
  return record("clip_loss", Tensor::scalar(loss), {a, b, logit_scale},
                [ta = Saved(ta), tb = Saved(tb), gradients = Saved(gradients), runs, all, runs_at_once, s, ds, share,
                 scale_shape = logit_scale.shape()](const Tensor& g, Sink in) {
                  for (const int input : {0, 1}) {
                    if (!in.needs(input)) continue;
                    const std::pair<Tensor&, bool> to = in.out(input);
                    const real *other = (input == 0 ? tb : ta)->data(), *p = gradients->data();
                    const auto part = [&, y = to.first.write()](int64_t begin, int64_t end) {
                      ClipRuns::Run found;
                      for (int64_t r = begin; r < end; ++r) {
                        runs.find(r, found);
                        const int64_t n = found.pairs(), width = runs.d, positions = runs.positions(r);
                        if (!to.second && (n < 2 || !found.all))
                          std::fill_n(y + found.first * width, positions * width, real{0});
                        if (n < 2) continue;
                        const real scale = g.item() * share * s / static_cast<real>(2 * n);
                        const real *x = runs.rows(other, found, 0), *dp = p + r * runs.scores_size();
                        if (found.all) {
                          clip_gradient(input == 1, n, width, scale, dp, x, to.second, y + found.first * width);
                          continue;
                        }
                        real* dx = found.packed.data() + n * width;
                        clip_gradient(input == 1, n, width, scale, dp, x, false, dx);
                        for (int64_t i = 0; i < n; ++i)
                          kernels().axpy(width, 1, dx + i * width, y + found.at[i] * width);
                      }
                    };
                    parallel_for(all, runs_at_once, part);
                  }
                  in.add(2, Tensor::full(scale_shape, g.item() * ds));
                });
}

#ifdef SEMINAR_OP_ROWS
namespace {
// The loss by its definition.
Tensor naive_clip_loss(const Tensor& a, const Tensor& b, real s, int64_t chunks, const Tensor& mask) {
  const int64_t batch = a.size(0), length = a.size(1), d = a.size(2), run = (length + chunks - 1) / chunks;
  real loss = 0;
  for (int64_t u = 0; u < batch; ++u)
    for (int64_t first = 0; first < length; first += run) {
      std::vector<int64_t> at;
      for (int64_t l = first; l < std::min(first + run, length); ++l)
        if (!mask.defined() || mask.at({u, l}) != 0) at.push_back(l);
      const auto score = [&](int64_t i, int64_t j) {
        real t = 0;
        for (int64_t k = 0; k < d; ++k) t += a.at({u, i, k}) * b.at({u, j, k});
        return s * t;
      };
      for (int64_t i : at) {
        real row = 0, col = 0;
        for (int64_t j : at) row += std::exp(score(i, j)), col += std::exp(score(j, i));
        if (at.size() > 1)
          loss += (std::log(row) + std::log(col) - 2 * score(i, i)) / static_cast<real>(2 * at.size() * batch);
      }
    }
  return Tensor::scalar(loss);
}
}  // namespace
#endif
OP_ROW(clip_loss,
       {.samples =
            [](Rng& rng) {
              const Tensor mask = Tensor::from({2, 5}, {1, 0, 1, 1, 1, 0, 0, 0, 1, 0});
              std::vector<OpSample> samples;
              for (int64_t chunks : {1, 2})
                for (const Tensor& m : {Tensor(), mask})
                  samples.push_back(
                      {{Tensor::normal({2, 5, 3}, rng), Tensor::normal({2, 5, 3}, rng), Tensor::scalar(2.5)},
                       [=](std::span<const Var> in) { return clip_loss(in[0], in[1], in[2], chunks, m); },
                       [=](std::span<const Tensor> in) {
                         return naive_clip_loss(in[0], in[1], in[2].item(), chunks, m);
                       }});
              samples.push_back({{Tensor::normal({1, 1, 2}, rng), Tensor::normal({1, 1, 2}, rng), Tensor::scalar(1)},
                                 [](std::span<const Var> in) { return clip_loss(in[0], in[1], in[2], 1); }});
              return samples;
            },
        .errors = {
            {[] {
               clip_loss(Tensor::zeros({2, 3}), Tensor::zeros({2, 3}), Tensor::scalar(1), 1);
             },
             "clip_loss: needs two tensors [B, L, d]"},
            {[] {
               clip_loss(Tensor::zeros({1, 2, 3}), Tensor::zeros({1, 2, 3}), Tensor::scalar(1), 0);
             },
             "clip_loss: chunks must be at least 1: 0"},
            {[] {
               clip_loss(Tensor::zeros({1, 2, 3}), Tensor::zeros({1, 2, 3}), Tensor::scalar(-1), 1);
             },
             "clip_loss: logit_scale must be positive"},
            {[] {
               clip_loss(Tensor::zeros({1, 2, 3}), Tensor::zeros({1, 2, 3}), Tensor::scalar(1), 1, Tensor::zeros({2}));
             },
             "clip_loss: mask [2]"}}});

}  // namespace seminar::inline SEMINAR_PRECISION
