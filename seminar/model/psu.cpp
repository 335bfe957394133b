#include "seminar/model/psu.h"

#include <algorithm>
#include <cmath>

#include "nn/clip_loss.h"
#include "seminar/model/losses.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double first_temperature = 0.07;
// Searched pairs of a batch that the relevance loss looks at; more change neither the mean nor the cost that matters.
constexpr std::size_t max_relevance_pairs = 1024;

}  // namespace

Psu::Psu(const ModelSettings& s, const Vocabulary& v, Rng rng, PsuLossForms authors)
    : Model(s, v),
      encoders(s, v, rng.split("encoders")),
      fusion(s, encoders.item_channels(), rng.split("fusion")),
      age(s),
      attention(s.dim, s.heads, rng.split("attention"), s.projections == "frozen"),
      eos([&] {
        Rng stream = rng.split("eos");
        return Tensor::normal({1, s.dim}, stream, 0.02);
      }()),
      head(s, rng.split("head"), {.bias = false}),
      relevance({2 * s.dim, s.hidden, 1}, rng.split("relevance")),
      logit_scale(Tensor::scalar(static_cast<real>(std::log(1 / first_temperature)))),
      authors_(authors) {}

Var Psu::logits(const FusedBatch& fused, const Batch& batch, const Mode& mode) const {
  const int64_t b = batch.size();
  const Var end =
      reshape(embedding(eos, Ids(std::vector<int32_t>(static_cast<std::size_t>(b), 0))), {b, 1, settings_.dim});
  const Var keys = concat({age(fused.history, behaviour_ages(batch)), end}, 1);
  const Tensor mask = concat({batch.mask, Tensor::full({b, 1}, 1)}, 1).value();
  return head.y_hat(attention(fused.targets, keys, mask), masked_mean(fused.history, batch.mask), fused.targets, mode);
}

Var Psu::l_align(const Channels& channels, const Batch& batch, const RunSettings& run) const {
  const bool own_form = run.align_loss == "clip";
  check(own_form || authors_.align, "--align-loss {}: this model was made without that form", run.align_loss);
  const Var s = clip_scale(logit_scale);
  std::vector<Var> units;
  for (const Var& x : channels.item) units.push_back(embedding(normalize(x), batch.history.item));
  // A position takes part where the item has both channels and stands for the first time.
  const int64_t m = channels.present.size(1), n = batch.mask.numel();
  Var total;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = i + 1; j < m; ++j) {  // (i, j) and (j, i) are the two directions of the symmetric loss
      Tensor mask = batch.first.clone();
      real* keep = mask.write();
      for (int64_t l = 0; l < n; ++l) {
        const real* has = channels.present.data() + int64_t{batch.history.item[l]} * m;
        if (has[i] == 0 || has[j] == 0) keep[l] = 0;
      }
      const Var part = own_form ? clip_loss(units[i], units[j], s, run.chunks, mask)
                                : authors_.align(units[i], units[j], run.chunks, mask);
      total = total.defined() ? total + part : part;
    }
  return total;
}

Var Psu::l_query_item(const Channels& channels, const Batch& batch, const RunSettings& run, const Mode& mode) const {
  if (run.relevance_loss == "authors") {
    check(authors_.query_item, "--relevance-loss authors: this model was made without that form");
    const Shape shape{batch.size(), batch.length(), settings_.dim};
    return authors_.query_item(reshape(embedding(channels.query, batch.history.query), shape),
                               reshape(fusion.items(channels, batch.history.item), shape), mode.rng.split("relevance"));
  }
  std::vector<int32_t> queries, items, others;
  std::vector<int64_t> searched;
  for (int64_t l = 0; l < batch.mask.numel(); ++l)
    if (batch.mask.data()[l] != 0 && batch.history.query[l] != 0) searched.push_back(l);
  const int32_t distinct = static_cast<int32_t>(batch.items.size());
  if (searched.empty() || distinct < 3) return {};
  Rng rng = mode.rng.split("relevance");
  const std::size_t step = (searched.size() + max_relevance_pairs - 1) / max_relevance_pairs;
  for (std::size_t i = 0; i < searched.size(); i += step) {
    const int32_t item = batch.history.item[searched[i]];
    int32_t other = static_cast<int32_t>(1 + rng.below(distinct - 2));  // never the padding item, never the pair's own
    if (other >= item) ++other;
    queries.push_back(batch.history.query[searched[i]]);
    items.push_back(item);
    others.push_back(other);
  }
  const int64_t n = std::ssize(queries);
  queries.insert(queries.end(), queries.begin(), queries.end());
  items.insert(items.end(), others.begin(), others.end());
  const Var pairs =
      concat({embedding(channels.query, Ids(std::move(queries))), fusion.items(channels, Ids(std::move(items)))}, -1);
  Tensor labels = Tensor::zeros({2 * n});
  std::fill_n(labels.write(), n, real{1});
  return bce_with_logits(reshape(relevance(pairs, mode.split("relevance")), {2 * n}), labels);
}

Var Psu::l_psu(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
               std::vector<LossPart>* parts) const {
  const FusedBatch pairs = fused(encoders, fusion, data, batch, mode);
  Var total;
  const auto add = [&](const char* name, const Var& part, double weight) {
    if (!part.defined()) return;
    if (parts) parts->push_back({name, part.value().item()});
    const Var weighted = scale(part, static_cast<real>(weight));
    total = total.defined() ? total + weighted : weighted;
  };
  if (run.next_weight > 0) add("next", l_next(logits(pairs, batch, mode)), run.next_weight);
  if (run.align_weight > 0) add("align", l_align(pairs.channels, batch, run), run.align_weight);
  if (run.relevance_weight > 0) add("relevance", l_query_item(pairs.channels, batch, run, mode), run.relevance_weight);
  check(total.defined(), "pretrain: nothing to learn from: raise --next-weight, --align-weight or --relevance-weight");
  return total;
}

Tensor Psu::score(const Dataset& data, const Batch& batch, const RunSettings&) const {
  const NoGrad guard;
  const Mode mode;
  return logits(fused(encoders, fusion, data, batch, mode), batch, mode).value();
}

}  // namespace seminar::inline SEMINAR_PRECISION
