#include "seminar/baselines/qin.h"

#include "pq/topk.h"

namespace seminar::inline SEMINAR_PRECISION {

Qin::Qin(const ModelSettings& s, const Dataset&, const Rng& rng)
    : by_query(s, rng.split("by_query")),
      by_item(s, rng.split("by_item")),
      query_attention(s, rng.split("query_attention")),
      item_attention(s, rng.split("item_attention")),
      fuse(2 * s.dim, s.dim, rng.split("fuse")) {}

Retrieved two_stages(const Tensor& first, const Tensor& second, const Tensor& mask, int64_t k1, int64_t k) {
  check(k1 >= k, "--k1 {}: must be at least --k {}", k1, k);
  const int64_t rows = first.shape().rows(), length = first.size(-1), share = rows / mask.shape().rows();
  const Tensor a = first.contiguous(), b = second.contiguous(), m = mask.contiguous();
  return retrieve_rows(rows, length, k, [&](int64_t row) {
    const auto line = [&](const Tensor& t, int64_t r) {
      return std::span(t.data() + r * length, static_cast<std::size_t>(length));
    };
    std::vector<real> left(static_cast<std::size_t>(length), 0);
    for (const int32_t l : top_k(line(a, row), line(m, row / share), k1)) left[l] = 1;
    return top_k(line(b, row), left, k);
  });
}

Interest Qin::operator()(const UnitInput& in, const Mode& mode) const {
  const int64_t rows = in.batch.size(), candidates = in.batch.candidates(), length = in.batch.length();
  const auto& [channels, targets, history] = in.fused;
  const Var query = embedding(channels.query, in.batch.targets.query);
  const Var item_scores = by_item.scores(targets, history), query_scores = by_query.scores(query, history);
  Tensor asked = Tensor::zeros({rows, candidates}), first = query_scores.value().clone();
  real *has_query = asked.write(), *y = first.write();
  bool any = false;
  for (int64_t row = 0; row < rows * candidates; ++row) {
    has_query[row] = in.batch.queries[in.batch.targets.query[row]] != 0 ? 1 : 0;
    any |= has_query[row] != 0;
    if (has_query[row] == 0) std::copy_n(item_scores.value().data() + row * length, length, y + row * length);
  }
  const Retrieved best = two_stages(first, item_scores.value(), in.batch.mask, in.run.k1, in.run.k);
  const std::vector<int32_t> ages = behaviour_ages(in.batch);
  const Var found_by_item = item_attention.x_lifelong(targets, history, best, ages),
            found_by_query =
                query_attention.x_lifelong(query, history, best, ages) * asked.reshape({rows, candidates, 1});
  Interest out{fuse(concat({found_by_item, found_by_query}, -1)), best};
  if (!in.training_loss) return out;
  out.own_loss = by_item.loss(item_scores, in, mode.split("by_item"));
  if (any) out.own_loss = out.own_loss + by_query.loss(query_scores, in, mode.split("by_query"), asked);
  return out;
}

}  // namespace seminar::inline SEMINAR_PRECISION
