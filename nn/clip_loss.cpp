#include "nn/clip_loss.h"

#include <algorithm>
#include <cmath>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/gemm.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

Var clip_scale(const Var& log_scale) {
  check_inputs("clip_scale", {log_scale});
  check(log_scale.value().numel() == 1, "clip_scale: must be one number, not shape {}", log_scale.shape());
  constexpr real largest = 100;
  return log_scale.value().item() > std::log(largest) ? Var(Tensor::scalar(largest)) : exp(log_scale);
}

namespace {

// Pairs up to which BLAS takes longer to pack than to multiply.
constexpr int64_t few_pairs = 48;

int64_t padded(int64_t n) { return round_up(n, kernel_lanes); }

// The chunks of a batch of sequences, "runs". A run has `run` positions; the last of a sequence may have fewer. If the
// mask leaves some of them out, the rows of the others are packed.
struct ClipRuns {
  int64_t length, d, run, count;  // a sequence's positions, width, positions of a run, runs of a sequence
  Saved mask;                     // undefined: all take part
  struct Run {
    int64_t first;
    std::vector<int64_t> positions;  // those that take part
    bool whole = false;
    std::vector<real> packed;
    int64_t pairs() const { return std::ssize(positions); }
  };
  ClipRuns(const Shape& shape, int64_t chunks, const Tensor& keep)
      : length(shape[1]),
        d(shape[2]),
        run(std::max<int64_t>(1, (length + chunks - 1) / chunks)),
        count((length + run - 1) / run),
        mask(keep.defined() ? keep.contiguous() : Tensor()) {}
  int64_t first(int64_t r) const { return r / count * length + r % count * run; }
  int64_t positions(int64_t r) const { return std::min(run, length - r % count * run); }
  // `keep` is the mask's data.
  void find(int64_t r, const real* keep, Run& found) const {
    found.first = first(r);
    found.positions.clear();
    for (int64_t i = found.first; i < found.first + positions(r); ++i)
      if (!keep || keep[i] != 0) found.positions.push_back(i);
    found.whole = found.pairs() == positions(r);
    if (!found.whole) found.packed.resize(static_cast<std::size_t>(2 * found.pairs() * d));
  }
  // The rows of x that take part, in place `slot` of the packed ones.
  const real* rows(const real* x, Run& found, int64_t slot) const {
    if (found.whole) return x + found.first * d;
    real* out = found.packed.data() + slot * found.pairs() * d;
    for (int64_t i = 0; i < found.pairs(); ++i) std::copy_n(x + found.positions[i] * d, d, out + i * d);
    return out;
  }
  int64_t scores_size() const { return run * padded(run); }
};

// S = s A Bᵀ [n, padded(n)] of one run.
void clip_scores(int64_t n, int64_t d, real s, const real* a, const real* b, real* p, std::vector<real>& columns) {
  const int64_t ld = padded(n);
  if (n > few_pairs) return gemm(false, true, n, n, d, s, a, d, b, d, 0, p, ld);
  columns.resize(static_cast<std::size_t>(d * ld));
  kernels().transpose(n, d, b, d, columns.data(), ld);
  kernels().small_gemm(n, ld, d, s, a, d, 1, columns.data(), ld, false, p, ld);
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
  check_inputs("clip_loss", {a, b, logit_scale});
  check(a.rank() == 3 && a.shape() == b.shape(), "clip_loss: needs two tensors [B, L, d]: {} and {}", a.shape(),
        b.shape());
  const int64_t batch = a.size(0), d = a.size(2);
  check(chunks >= 1, "clip_loss: chunks must be at least 1: {}", chunks);
  check(!mask.defined() || mask.shape() == Shape({batch, a.size(1)}), "clip_loss: mask {} for {}", mask.shape(),
        a.shape());
  check(logit_scale.value().numel() == 1, "clip_loss: logit_scale must be one number, not shape {}",
        logit_scale.shape());
  const real s = logit_scale.value().item();
  check(s > 0, "clip_loss: logit_scale must be positive: {}", s);
  const Tensor ta = a.value().contiguous(), tb = b.value().contiguous();
  const ClipRuns runs(a.shape(), chunks, mask);
  const int64_t total = batch * runs.count, grain = row_grain(runs.run * d);
  Tensor gradients = Tensor::empty({total, runs.scores_size()}), results = Tensor::zeros({2, total});
  const auto forward = [&, keep = runs.mask->data(), p = gradients.write(), out = results.write()](int64_t begin,
                                                                                                   int64_t end) {
    std::vector<real> columns, work(static_cast<std::size_t>(3 * padded(runs.run)));
    ClipRuns::Run found;
    for (int64_t r = begin; r < end; ++r) {
      runs.find(r, keep, found);
      if (r + 1 < total) {
        prefetch(ta.data() + runs.first(r + 1) * d, runs.positions(r + 1) * d);
        prefetch(tb.data() + runs.first(r + 1) * d, runs.positions(r + 1) * d);
      }
      const int64_t n = found.pairs();
      if (n < 2) continue;  // a single pair has nothing to be told apart from
      real* scores = p + r * runs.scores_size();
      clip_scores(n, d, s, runs.rows(ta.data(), found, 0), runs.rows(tb.data(), found, 1), scores, columns);
      const real weight = 1 / static_cast<real>(2 * n);
      real moment = 0;
      out[r] = weight * kernels().clip_loss_rows(n, padded(n), scores, work.data(), &moment);
      out[total + r] = weight * moment / s;
    }
  };
  parallel_for(total, grain, forward);
  const real weight = 1 / static_cast<real>(std::max<int64_t>(1, batch));
  const real loss = sum_all(results.slice(0, 0, 1)) * weight, ds = sum_all(results.slice(0, 1, 2)) * weight;
  return record("clip_loss", Tensor::scalar(loss), {a, b, logit_scale},
                [ta = Saved(ta), tb = Saved(tb), gradients = Saved(gradients), runs, total, grain, s, ds, weight,
                 scale_shape = logit_scale.shape()](const Tensor& g, Sink in) {
                  const real *keep = runs.mask->data(), *p = gradients->data();
                  for (const int input : {0, 1}) {
                    if (!in.needs(input)) continue;
                    const real* other = (input == 0 ? tb : ta)->data();
                    const std::pair<Tensor&, bool> to = in.out(input);
                    const auto part = [&, y = to.first.write()](int64_t begin, int64_t end) {
                      ClipRuns::Run found;
                      for (int64_t r = begin; r < end; ++r) {
                        runs.find(r, keep, found);
                        const int64_t n = found.pairs(), width = runs.d, positions = runs.positions(r);
                        if (!to.second && (n < 2 || !found.whole))
                          std::fill_n(y + found.first * width, positions * width, real{0});
                        if (n < 2) continue;
                        const real scale = g.item() * weight * s / static_cast<real>(2 * n);
                        const real *x = runs.rows(other, found, 0), *dp = p + r * runs.scores_size();
                        if (found.whole) {
                          clip_gradient(input == 1, n, width, scale, dp, x, to.second, y + found.first * width);
                          continue;
                        }
                        real* dx = found.packed.data() + n * width;
                        clip_gradient(input == 1, n, width, scale, dp, x, false, dx);
                        for (int64_t i = 0; i < n; ++i)
                          kernels().axpy(width, 1, dx + i * width, y + found.positions[i] * width);
                      }
                    };
                    parallel_for(total, grain, part);
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
      std::vector<int64_t> kept;
      for (int64_t l = first; l < std::min(first + run, length); ++l)
        if (!mask.defined() || mask.at({u, l}) != 0) kept.push_back(l);
      const auto score = [&](int64_t i, int64_t j) {
        real t = 0;
        for (int64_t k = 0; k < d; ++k) t += a.at({u, i, k}) * b.at({u, j, k});
        return s * t;
      };
      for (int64_t i : kept) {
        real row = 0, col = 0;
        for (int64_t j : kept) row += std::exp(score(i, j)), col += std::exp(score(j, i));
        if (kept.size() > 1)
          loss += (std::log(row) + std::log(col) - 2 * score(i, i)) / static_cast<real>(2 * kept.size() * batch);
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
             "clip_loss: mask [2]"},
            {[] {
               clip_loss(Tensor::zeros({1, 2, 3}), Tensor::zeros({1, 2, 3}), Tensor::full({2}, 1), 1);
             },
             "clip_loss: logit_scale must be one number, not shape [2]"}}});

}  // namespace seminar::inline SEMINAR_PRECISION
