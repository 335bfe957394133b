#include "seminar/model/seminar_model.h"

#include "seminar/model/losses.h"
#include "seminar/model/restore.h"

namespace seminar::inline SEMINAR_PRECISION {
SeminarModel::SeminarModel(const ModelSettings& s, const Vocabulary& v, Rng rng)
    : Model(s, v),
      encoders(s, v, rng.split("encoders")),
      fusion(s, encoders.item_channels(), rng.split("fusion")),
      gsu(s, encoders.item_channels() + 1, rng.split("gsu")),
      esu(s, rng.split("esu")),
      side(make_side(s, v, rng.split("side"))),
      head(s, rng.split("head"), {.side = side ? side->vectors() : 0}) {}

void SeminarModel::restore(const Psu& psu, bool all) {
  restore_inputs(psu, encoders, fusion, all);
  if (!all) return;
  copy_parameters(parameters(psu.age), parameters(esu.age));
  for (const TargetAttention* attention : {&gsu.attention, &esu.attention})
    copy_parameters(parameters(psu.attention), parameters(*attention));
  copy_parameters(parameters(psu.head.mlp), parameters(gsu.head.mlp));
  if (!side) copy_parameters(parameters(psu.head.mlp), parameters(head.mlp));  // else it reads more than the PSU's
}

FusedBatch SeminarModel::fused(const Dataset& data, const Batch& batch, const Mode& mode) const {
  return fuse_batch(fusion, gsu.project(encoders(data, batch.items, batch.queries, mode)), batch);
}

Var SeminarModel::searched_for(const FusedBatch& pairs, const Batch& batch) const {
  if (settings_.search_by == "pair") return pairs.targets;
  if (settings_.search_by == "query") return embedding(pairs.channels.query, batch.targets.query);
  return reshape(fusion.items(pairs.channels, batch.targets.item), pairs.targets.shape());
}

Tensor SeminarModel::target_weights(const FusedBatch& pairs, const Batch& batch) const {
  if (settings_.search_by == "pair") return fusion.weights(pairs.channels, batch.targets).value();
  const int64_t rows = batch.targets.numel(), items = std::ssize(pairs.channels.item);
  if (settings_.search_by == "query")
    return concat({Tensor::full({rows, 1}, 1), Tensor::zeros({rows, items})}, 1).value();
  return concat({Tensor::zeros({rows, 1}), fusion.item_weights(pairs.channels, batch.targets.item)}, 1).value();
}

SeminarModel::Forward SeminarModel::forward(const Dataset& data, const Batch& batch, const RunSettings& run,
                                            const Mode& mode) const {
  Forward f;
  f.fused = fused(data, batch, mode);
  const Var asked = searched_for(f.fused, batch);
  // A retriever needs no exact scores, unless the GSU is to learn.
  if (!retriever_ || mode.training) f.gsu_scores = gsu.scores(asked, f.fused.history);
  if (retriever_) {
    const NoGrad guard;
    f.retrieved = retriever_->retrieve(batch, f.fused.channels, target_weights(f.fused, batch),
                                       fusion.weights(f.fused.channels, batch.history).value(), gsu.folded(), run.k);
  } else {
    f.retrieved = retrieve_top_k(f.gsu_scores.value(), batch.mask, batch.candidates(), run.k);
  }
  const Var x_lifelong = esu.x_lifelong(f.fused.targets, f.fused.history, f.retrieved, behaviour_ages(batch));
  f.logits = head.y_hat(x_lifelong, masked_mean(f.fused.history, batch.mask), f.fused.targets, mode, learns_bias(run),
                        side ? (*side)(data, batch) : Var());
  return f;
}

Var SeminarModel::loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
                       std::vector<LossPart>* parts) const {
  const Forward f = forward(data, batch, run, mode);
  const Var ctr = ctr_loss(f.logits, batch, run);
  if (parts) parts->push_back({"ctr", ctr.value().item()});
  if (run.search_weight == 0 || !f.gsu_scores.defined()) return ctr;
  const Var own =
      ctr_loss(gsu.logits(f.gsu_scores, f.fused, batch.mask, mode.split("gsu"), learns_bias(run)), batch, run);
  if (parts) parts->push_back({"gsu", own.value().item()});
  return ctr + scale(own, static_cast<real>(run.search_weight));
}

Tensor SeminarModel::score(const Dataset& data, const Batch& batch, const RunSettings& run) const {
  const NoGrad guard;
  return forward(data, batch, run, Mode()).logits.value();
}

std::optional<Retrieved> SeminarModel::retrieve(const Dataset& data, const Batch& batch, const RunSettings& run) const {
  const NoGrad guard;
  return forward(data, batch, run, Mode()).retrieved;
}

}  // namespace seminar::inline SEMINAR_PRECISION
