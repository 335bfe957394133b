#include "seminar/baselines/authors.h"

#include <cmath>

#include "pq/simhash.h"
#include "seminar/baselines/qin.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t authors_bits = 16;

Tensor hash_bias(int64_t bits, int64_t d, Rng rng) {
  const double bound = 1 / std::sqrt(static_cast<double>(d));
  return Tensor::uniform({bits}, rng, -bound, bound);
}

}  // namespace

Interest AuthorsMeanPool::operator()(const UnitInput& in, const Mode&) const {
  const AuthorsHistory history(in);
  const Retrieved last = retrieve_rows(in.batch.size(), history.length(), in.run.k,
                                       [&](int64_t b) { return history.newest_first(in.batch, b); });
  return {attention(in.fused.targets, history, last), history.marked(last)};
}

AuthorsSim::AuthorsSim(const ModelSettings& s, const Dataset&, const Rng& rng)
    : wq(s.dim, s.dim, rng.split("wq")),
      wk(s.dim, s.dim, rng.split("wk")),
      own_head(s, rng.split("own_head")),
      attention(s, rng.split("attention")) {}

Interest AuthorsSim::operator()(const UnitInput& in, const Mode& mode) const {
  const AuthorsHistory history(in);
  const Var& targets = in.fused.targets;
  const Var scores = matmul_transposed(wq(targets), wk(history.rows));
  const Retrieved best = retrieve_top_k(scores.value(), history.everything(), in.batch.candidates(), in.run.k);
  Interest out{attention(targets, history, best), history.marked(best)};
  if (in.training_loss)
    out.own_loss =
        ctr_loss(own_head.y_hat(matmul(scores, history.rows), {}, targets, mode.split("own")), in.batch, in.run);
  return out;
}

AuthorsEta::AuthorsEta(const ModelSettings& s, const Dataset&, const Rng& rng)
    : planes(hash_planes(s.hash_bits > 0 ? s.hash_bits : authors_bits, s.dim, rng.split("planes"))),
      bias(hash_bias(planes.shape()[0], s.dim, rng.split("bias"))),
      attention(s, rng.split("attention")) {}

Interest AuthorsEta::operator()(const UnitInput& in, const Mode&) const {
  const AuthorsHistory history(in);
  const int64_t candidates = in.batch.candidates(), length = history.length(), d = planes.shape()[1];
  const SignCodes own = sign_codes(in.fused.targets.value().reshape({-1, d}), planes.value(), bias.value()),
                  codes = sign_codes(history.rows.value().reshape({-1, d}), planes.value(), bias.value());
  const Retrieved nearest = retrieve_rows(in.batch.size() * candidates, length, in.run.k, [&](int64_t row) {
    const int64_t b = row / candidates;
    return nearest_codes(own.row(row), codes, b * length, history.newest_first(in.batch, b));
  });
  return {attention(in.fused.targets, history, nearest), history.marked(nearest)};
}

Interest AuthorsTwin::operator()(const UnitInput& in, const Mode&) const {
  const AuthorsHistory history(in);
  const Tensor scores = attention.scores(in.fused.targets, history.rows).value();
  const Retrieved best = retrieve_top_k(scores, history.everything(), scores.size(1), in.run.k);
  return {attention(in.fused.targets, history, best), history.marked(best)};
}

Interest AuthorsQin::operator()(const UnitInput& in, const Mode&) const {
  const Batch& batch = in.batch;
  const Var ids = in.encoders.item_ids(Ids(batch.items)), targets = embedding(ids, batch.targets.item),
            query = embedding(in.fused.channels.query, batch.targets.query);
  const AuthorsHistory history(embedding(ids, batch.history.item), slice(ids, 0, 0, 1), in);
  const Tensor by_query = search(query, history.rows).value(), by_item = search(targets, history.rows).value();
  const Retrieved best = two_stages(by_query, by_item, history.everything(), in.run.k1, in.run.k);
  return {attention(targets, history, best), history.marked(best), {}, targets};
}

}  // namespace seminar::inline SEMINAR_PRECISION
