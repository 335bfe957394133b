#include "seminar/model/seminar_model.h"

#include <algorithm>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

void copy_values(const Params& from, const Params& to) {
  if (from.size() != to.size()) throw Bug("restore: the modules differ");
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Tensor& source = from[i].var.value();
    Tensor target = to[i].var.value();
    check(source.shape() == target.shape(), "restore: '{}' {} into '{}' {}", from[i].name, source.shape(), to[i].name,
          target.shape());
    std::copy_n(source.data(), source.numel(), target.write());
  }
}

}  // namespace

SeminarModel::SeminarModel(const ModelSettings& s, const Vocabulary& v, Rng rng)
    : Model(s, v),
      encoders(s, v, rng.split("encoders")),
      fusion(s, encoders.item_channels(), rng.split("fusion")),
      gsu(s, encoders.item_channels() + 1, rng.split("gsu")),
      esu(s, rng.split("esu")),
      head(s.dim, s.hidden, rng.split("head")) {}

void SeminarModel::restore(const Psu& psu) {
  copy_values(parameters(psu.encoders), parameters(encoders));
  copy_values(parameters(psu.fusion), parameters(fusion));
  copy_values(parameters(psu.age), parameters(esu.age));
  for (const TargetAttention* attention : {&gsu.attention, &esu.attention})
    copy_values(parameters(psu.attention), parameters(*attention));
  for (const Head* h : {&gsu.head, &head}) copy_values(parameters(psu.head), parameters(*h));
}

SeminarModel::Forward SeminarModel::forward(const Dataset& data, const Batch& batch, int64_t k,
                                            const Mode& mode) const {
  Forward f;
  f.fused = fuse_batch(fusion, gsu.project(encoders(data, batch.items, batch.queries, mode)), batch);
  // A retriever needs no exact scores, unless the GSU is to learn.
  if (!retriever_ || mode.training) f.gsu_scores = gsu.scores(f.fused.targets, f.fused.history);
  if (retriever_) {
    const NoGrad guard;
    f.retrieved = retriever_->retrieve(batch, f.fused.channels, fusion.weights(f.fused.channels, batch.targets).value(),
                                       fusion.weights(f.fused.channels, batch.history).value(), gsu.folded(), k);
  } else {
    f.retrieved = Gsu::retrieve(f.gsu_scores.value(), batch.mask, batch.candidates(), k);
  }
  const Var lifelong = esu(f.fused.targets, f.fused.history, f.retrieved, behaviour_ages(batch));
  f.logits = head(lifelong, masked_mean(f.fused.history, batch.mask), f.fused.targets, mode);
  return f;
}

Var SeminarModel::loss(const Dataset& data, const Batch& batch, const RunSettings& run, const Mode& mode,
                       std::vector<LossPart>* parts) const {
  const Forward f = forward(data, batch, run.k, mode);
  const Var ctr = ctr_loss(f.logits, batch, run);
  if (parts) parts->push_back({"ctr", ctr.value().item()});
  if (run.gsu_weight == 0 || !f.gsu_scores.defined()) return ctr;
  const Var own = ctr_loss(gsu.logits(f.gsu_scores, f.fused, batch.mask, mode.split("gsu")), batch, run);
  if (parts) parts->push_back({"gsu", own.value().item()});
  return ctr + scale(own, static_cast<real>(run.gsu_weight));
}

Tensor SeminarModel::score(const Dataset& data, const Batch& batch, const RunSettings& run) const {
  const NoGrad guard;
  return forward(data, batch, run.k, Mode()).logits.value();
}

std::optional<Retrieved> SeminarModel::retrieve(const Dataset& data, const Batch& batch, const RunSettings& run) const {
  const NoGrad guard;
  return forward(data, batch, run.k, Mode()).retrieved;
}

}  // namespace seminar::inline SEMINAR_PRECISION
