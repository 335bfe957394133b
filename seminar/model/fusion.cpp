#include "seminar/model/fusion.h"

#include <cmath>

#include "nn/weighted_gather.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

Ids flat(const Ids& ids) { return ids.reshape({ids.numel()}); }

}  // namespace

Fusion::Fusion(const ModelSettings& settings, int64_t item_channels, Rng rng) : lambda(settings.lambda) {
  if (settings.fusion == "gate") {
    for (int64_t c = 0; c <= item_channels; ++c)
      gate.emplace_back(settings.dim, item_channels + 1, rng.split(static_cast<uint64_t>(c)), c == 0);
  } else {
    item_logits.emplace(Tensor::zeros({item_channels}));
  }
}

Var Fusion::item_gate(const Channels& channels) const {
  Var total;
  for (std::size_t m = 0; m < channels.item.size(); ++m) {
    const Var part = gate[m + 1](channels.item[m]);
    total = total.defined() ? total + part : part;
  }
  return total;
}

Var Fusion::item_weights(const Channels& channels, const Ids& item) const {
  const Var logits = item_logits ? Var(Tensor::zeros(channels.present.shape())) + *item_logits
                                 : slice(item_gate(channels), 1, 1, std::ssize(gate));
  return embedding(softmax(logits, channels.present), flat(item));
}

Var Fusion::weights(const Channels& channels, const PairIds& pairs) const {
  if (item_logits) {
    const Tensor query_weight = Tensor::full({pairs.numel(), 1}, static_cast<real>(lambda));
    return concat({query_weight, scale(item_weights(channels, pairs.item), static_cast<real>(1 - lambda))}, 1);
  }
  const Var logits =
      embedding(gate[0](channels.query), flat(pairs.query)) + embedding(item_gate(channels), flat(pairs.item));
  const Tensor all_items = concat({Tensor::full({channels.present.size(0), 1}, 1), channels.present}, 1).value();
  return softmax(logits, gather_rows("fusion", all_items, flat(pairs.item)));
}

Var Fusion::operator()(const Channels& channels, const PairIds& pairs) const {
  std::vector<Var> tables{channels.query};
  tables.insert(tables.end(), channels.item.begin(), channels.item.end());
  std::vector<Ids> ids(tables.size(), pairs.item);
  ids[0] = pairs.query;
  return weighted_gather(weights(channels, pairs), tables, ids);
}

Var Fusion::items(const Channels& channels, const Ids& item) const {
  return weighted_gather(item_weights(channels, item), channels.item, std::vector<Ids>(channels.item.size(), item));
}

Var fuse(const Var& x, const Var& gamma) { return sum(reshape(gamma, {gamma.size(0), 1}) * x, -2); }

Var gated_fuse(const Var& x, const Var& weight, const Var& bias) {
  Shape flat = x.shape().leading().leading().with(x.size(-2) * x.size(-1));
  const Var gamma = softmax(linear(reshape(x, flat), weight, bias));
  return sum(reshape(gamma, gamma.shape().with(1)) * x, -2);
}

Var decomposed_scores(const Var& xt, const Var& xl, const Var& gamma, const Var& wq, const Var& wk) {
  const int64_t batch = xl.size(0), length = xl.size(1), channels = xl.size(2), d = xl.size(3), heads = wq.size(0);
  const auto norms = [](const Var& x) { return sqrt(sum(x * x, -1)); };
  const Var ut = normalize(xt), ul = normalize(xl), nt = norms(xt), nl = norms(xl);
  Var total;
  for (int64_t i = 0; i < channels; ++i) {
    const Var asked = matmul(reshape(slice(ut, 1, i, i + 1), {batch, d}), wq);  // [H, B, d]
    const Var target_weight = reshape(slice(gamma, 0, i, i + 1) * slice(nt, 1, i, i + 1), {batch, 1, 1});
    for (int64_t j = 0; j < channels; ++j) {
      const Var keys = matmul(reshape(slice(ul, 2, j, j + 1), {batch * length, d}), wk);  // [H, B * L, d]
      const Var behaviour_weight = slice(gamma, 0, j, j + 1) * reshape(slice(nl, 2, j, j + 1), {batch, 1, length});
      const Var products = matmul_transposed(
          reshape(swap_axes(asked, 0, 1), {batch * heads, 1, d}),
          reshape(swap_axes(reshape(keys, {heads, batch, length, d}), 0, 1), {batch * heads, length, d}));
      const Var part = target_weight * behaviour_weight * reshape(products, {batch, heads, length});
      total = total.defined() ? total + part : part;
    }
  }
  return scale(total, 1 / std::sqrt(static_cast<real>(d)));
}

}  // namespace seminar::inline SEMINAR_PRECISION
