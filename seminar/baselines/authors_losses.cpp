#include "seminar/baselines/authors_losses.h"

#include <algorithm>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr real temperature = static_cast<real>(0.05);
constexpr int64_t other_positions = 5;
constexpr real excluded = -10000;  // a logit that takes no part

// Mean over kept rows of -Σ target log softmax(logits), columns that are not kept left out.
Var soft_cross_entropy(const Var& logits, const Var& targets, const Tensor& columns, const Tensor& rows) {
  const Var per_row = sum(targets * log_softmax(logits + columns), -1);  // [B, n]
  return scale(sum(per_row * rows),
               static_cast<real>(-1 / std::max(1.0, static_cast<double>(sum(rows).value().item()))));
}

}  // namespace

Var soft_clip_loss(const Var& a, const Var& b, int64_t chunks, const Tensor& mask) {
  const int64_t batch = a.size(0), length = a.size(1), run = std::max<int64_t>(1, (length + chunks - 1) / chunks);
  Var total;
  int64_t runs = 0;
  for (int64_t begin = 0; begin < length; begin += run, ++runs) {
    const int64_t end = std::min(length, begin + run), n = end - begin;
    const Var x = slice(a, 1, begin, end), y = slice(b, 1, begin, end);
    const Tensor keep = mask.slice(1, begin, end).contiguous();
    Tensor columns = Tensor::zeros({batch, 1, n});
    std::transform(keep.data(), keep.data() + keep.numel(), columns.write(),
                   [](real k) { return k != 0 ? real{0} : excluded; });
    const Var targets = softmax(scale(matmul_transposed(x, x) + matmul_transposed(y, y), temperature / 2), keep);
    const Var logits = scale(matmul_transposed(x, y), 1 / temperature);
    const Var part = scale(soft_cross_entropy(logits, targets, columns, keep) +
                               soft_cross_entropy(transpose(logits), targets, columns, keep),
                           static_cast<real>(0.5));
    total = total.defined() ? total + part : part;
  }
  return scale(total, 1 / static_cast<real>(runs));
}

Var inverted_relevance_loss(const Var& queries, const Var& items, Rng rng) {
  const int64_t batch = queries.size(0), length = queries.size(1), d = queries.size(2);
  if (length < 2) return {};
  const Var q = normalize(queries), x = normalize(items);
  const auto similarity = [&](const Var& y) { return scale(sum(q * y, -1), 1 / temperature); };  // [B, L]
  const Var own = similarity(x), flat = reshape(x, {batch * length, d});
  Var ratios;  // Σ exp(other - own)
  for (int64_t k = 0; k < other_positions; ++k) {
    std::vector<int32_t> rows;
    const int64_t shift = 1 + rng.below(length - 1);
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t l = 0; l < length; ++l) rows.push_back(static_cast<int32_t>(b * length + (l + shift) % length));
    const Var ratio = exp(similarity(embedding(flat, Ids({batch, length}, std::move(rows)))) - own);
    ratios = ratios.defined() ? ratios + ratio : ratio;
  }
  return mean(Var(Tensor::full({batch, length}, 1)) / ratios);
}

}  // namespace seminar::inline SEMINAR_PRECISION
