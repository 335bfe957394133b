#include "seminar/evaluate.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Users scored together: enough to share the encoding of distinct items, few enough to stay small in memory.
constexpr int64_t users_at_once = 64;

RankingMetrics evaluate_scores(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                               const std::function<Tensor(const Batch&)>& score) {
  const std::vector<Target> targets = held_out_targets(data, options.split);
  check(!targets.empty(), "evaluate: no user has a held-out action with a history before it");
  std::vector<real> scores;
  const Rng rng = Rng(static_cast<uint64_t>(run.seed)).split(options.split == Split::test ? "test" : "valid");
  const BatchOptions batch_options{run.history, run.eval_negatives, options.show_query ? 0.0 : 1.0};
  for (std::size_t begin = 0; begin < targets.size(); begin += users_at_once) {
    const std::size_t count = std::min<std::size_t>(users_at_once, targets.size() - begin);
    const Tensor s = score(make_batch(data, std::span(targets).subspan(begin, count), batch_options, rng)).contiguous();
    scores.insert(scores.end(), s.data(), s.data() + s.numel());
  }
  return ranking_metrics(scores, 1 + run.eval_negatives);
}

}  // namespace

RankingMetrics evaluate(const Model& model, const Dataset& data, const RunSettings& run,
                        const EvaluationOptions& options) {
  return evaluate_scores(data, run, options, [&](const Batch& batch) { return model.score(data, batch, run); });
}

RankingMetrics evaluate_popularity(const Dataset& data, const RunSettings& run, const EvaluationOptions& options) {
  std::vector<real> count(static_cast<std::size_t>(data.items()) + 1, 0);
  for (int64_t user = 0; user < data.users(); ++user) {
    const auto items = data.user_items(user);
    for (std::size_t p = 0; p + 2 < items.size(); ++p) ++count[items[p]];
  }
  return evaluate_scores(data, run, options, [&](const Batch& batch) {
    Tensor scores = Tensor::empty({batch.size(), batch.candidates()});
    real* s = scores.write();
    for (int64_t i = 0; i < scores.numel(); ++i) s[i] = count[batch.items[batch.targets.item[i]]];
    return scores;
  });
}

std::string metrics_json(const std::string& model, const RankingMetrics& m) {
  nlohmann::ordered_json json;
  json["model"] = model;
  json["users"] = m.users;
  json["candidates"] = m.candidates;
  json["metrics"] = {{"ndcg@1", m.ndcg1}, {"ndcg@5", m.ndcg5}, {"ndcg@10", m.ndcg10},   {"ndcg@50", m.ndcg50},
                     {"hr@1", m.hr1},     {"hr@5", m.hr5},     {"hr@10", m.hr10},       {"hr@50", m.hr50},
                     {"mrr", m.mrr},      {"auc", m.auc},      {"tie_rate", m.tie_rate}};
  return json.dump(2);
}

}  // namespace seminar::inline SEMINAR_PRECISION
