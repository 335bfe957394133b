#include "seminar/baselines/sasrec.h"

#include <algorithm>
#include <unordered_set>

#include "seminar/baselines/baseline.h"
#include "seminar/model/restore.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double position_std = 0.02;
constexpr int draws = 20;  // of a negative from the batch, before one of the row's own is taken

}  // namespace

SasRec::SasRec(const ModelSettings& s, const Vocabulary& v, Rng rng)
    : Model(s, v),
      encoders(s, v, rng.split("encoders")),
      fusion(s, encoders.item_channels(), rng.split("fusion")),
      positions([&] {
        Rng stream = rng.split("positions");
        return Tensor::normal({s.positions, s.dim}, stream, position_std);
      }()),
      norm(s.dim) {
  check(s.dim % s.heads == 0, "--heads {}: must divide --dim {} in sasrec, whose heads share the width", s.heads,
        s.dim);
  for (int64_t i = 0; i < s.blocks; ++i)
    blocks.push_back(
        TransformerBlock(s.dim, s.heads, s.dim, rng.split("blocks").split(static_cast<uint64_t>(i)), {.causal = true}));
}

void SasRec::restore(const Psu& psu, bool all) { restore_inputs(psu, encoders, fusion, all); }

Tensor SasRec::read(const Batch& batch) const {
  return recent_behaviours(batch, positions.shape()[0]).keep(batch.length());
}

Var SasRec::states(const Channels& channels, const Batch& batch, const Tensor& mask, const Mode& mode) const {
  const int64_t rows = batch.size(), length = batch.length(), d = positions.shape()[1];
  std::vector<int32_t> places;
  for (const int32_t age : behaviour_ages(batch))
    places.push_back(std::min(age, static_cast<int32_t>(positions.shape()[0])) - 1);
  Var x = reshape(fusion(channels, batch.history) + embedding(positions, Ids(std::move(places))), {rows, length, d});
  for (std::size_t i = 0; i < blocks.size(); ++i)
    x = blocks[i].padded(x, mask, mode.split("block" + std::to_string(i)));
  return norm(x);
}

Ids next_items(const Dataset& data, const Batch& batch, const Tensor& mask, int64_t count, const Rng& rng) {
  const int64_t length = batch.length(), candidates = batch.candidates();
  check(candidates > 1, "sasrec: learns from negatives, the batch has none");
  const auto candidate = [&](int64_t b, int64_t t) { return batch.targets.item[b * candidates + t]; };
  std::vector<int32_t> items;
  for (int64_t b = 0; b < batch.size(); ++b) {
    const auto own = data.user_items(batch.rows[b].user);
    std::unordered_set<int32_t> known(own.begin(), own.begin() + batch.begins[b] + 1);
    Rng stream = rng.split(static_cast<uint64_t>(b));
    const auto negative = [&] {
      for (int i = 0; i < draws; ++i) {
        const int32_t item = candidate(stream.below(batch.size()), 1 + stream.below(candidates - 1));
        if (known.count(batch.items[item]) == 0) return item;
      }
      return candidate(b, 1 + stream.below(candidates - 1));
    };
    const int32_t behaviours = history_length(batch, b);
    for (int32_t l = 0; l < behaviours; ++l) {
      known.insert(own[batch.begins[b] + l + 1]);
      if (mask.at({b, l}) == 0) continue;
      items.push_back(l + 1 < behaviours ? batch.history.item[b * length + l + 1] : candidate(b, 0));
      for (int64_t n = 0; n < count; ++n) items.push_back(negative());
    }
  }
  const Shape shape{std::ssize(items) / (1 + count), 1 + count};
  return {shape, std::move(items)};
}

Var SasRec::loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
                 std::vector<LossPart>* parts) const {
  const Channels channels = encoders(data, batch.items, batch.queries, mode);
  const Tensor mask = read(batch);
  const Ids items = next_items(data, batch, mask, run.position_negatives, mode.rng.split("negatives"));
  const int64_t d = positions.shape()[1], count = items.shape()[0], each = items.shape()[1];
  std::vector<int32_t> rows;
  for (int64_t i = 0; i < mask.numel(); ++i)
    if (mask.data()[i] != 0) rows.push_back(static_cast<int32_t>(i));
  const Var state = embedding(reshape(states(channels, batch, mask, mode), {mask.numel(), d}), Ids(std::move(rows)));
  const Var product = reshape(state, {count, 1, d}) * reshape(fusion.items(channels, items), {count, each, d});
  Tensor labels = Tensor::zeros({count, each});
  for (int64_t i = 0; i < count; ++i) labels.write()[i * each] = 1;
  Var loss = bce_with_logits(sum(product, -1), labels);
  if (parts) parts->push_back({"next", loss.value().item()});
  return loss;
}

Tensor SasRec::score(const Dataset& data, const Batch& batch, const RunSettings&) const {
  const NoGrad guard;
  const Channels channels = encoders(data, batch.items, batch.queries, Mode());
  const int64_t length = batch.length(), d = positions.shape()[1];
  std::vector<int32_t> last;
  for (int64_t b = 0; b < batch.size(); ++b)
    last.push_back(static_cast<int32_t>(b * length) + std::max(0, history_length(batch, b) - 1));
  const Var all = reshape(states(channels, batch, read(batch), Mode()), {batch.size() * length, d});
  const Var state = reshape(embedding(all, Ids(std::move(last))), {batch.size(), 1, d});
  const Var items = reshape(fusion.items(channels, batch.targets.item), {batch.size(), batch.candidates(), d});
  return reshape(matmul_transposed(state, items), {batch.size(), batch.candidates()}).value();
}

}  // namespace seminar::inline SEMINAR_PRECISION
