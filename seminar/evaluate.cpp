#include "seminar/evaluate.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <unordered_set>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t exposures_at_once = 256;

using Score = std::function<Tensor(const Batch&)>;

bool brings_negatives(const Dataset& data, std::span<const Target> targets, int64_t count) {
  return count > 0 && std::all_of(targets.begin(), targets.end(),
                                  [&](const Target& t) { return std::ssize(data.negatives(t.user)) == count; });
}

RankingMetrics rank_sampled(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                            std::span<const Target> targets, const Score& score) {
  std::vector<real> scores;
  const Rng rng = Rng(static_cast<uint64_t>(run.seed)).split(options.split == Split::test ? "test" : "valid");
  const bool own = options.split == Split::test && brings_negatives(data, targets, run.eval_negatives);
  const BatchOptions batch_options{run.history, run.eval_negatives, options.show_query ? 0.0 : 1.0, false, own};
  for (std::size_t begin = 0; begin < targets.size(); begin += users_at_once) {
    const std::size_t count = std::min<std::size_t>(users_at_once, targets.size() - begin);
    const Tensor s = score(make_batch(data, targets.subspan(begin, count), batch_options, rng)).contiguous();
    scores.insert(scores.end(), s.data(), s.data() + s.numel());
  }
  return ranking_metrics(scores, 1 + run.eval_negatives);
}

// All items compete, except those the user had before the target.
RankingMetrics rank_all(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                        std::span<const Target> targets, const Score& score) {
  const auto score_items = [&](std::span<const Target> users, const std::vector<int32_t>& items) {
    std::vector<int32_t> queries;
    for (const Target& t : users)
      queries.insert(queries.end(), items.size() / users.size(),
                     options.show_query ? data.user_queries(t.user)[t.position] : 0);
    return score(make_batch(data, users, run.history, items, queries)).contiguous();
  };
  std::vector<RankCount> counts(targets.size());
  for (std::size_t begin = 0; begin < targets.size(); begin += full_users) {
    const auto users = targets.subspan(begin, std::min<std::size_t>(full_users, targets.size() - begin));
    std::vector<int32_t> positives;
    std::vector<std::unordered_set<int32_t>> before;
    for (const Target& t : users) {
      const auto items = data.user_items(t.user).first(static_cast<std::size_t>(t.position));
      positives.push_back(data.user_items(t.user)[t.position]);
      before.emplace_back(items.begin(), items.end());
    }
    const Tensor positive = score_items(users, positives);
    for (int32_t first = 1; first <= data.items(); first += full_items) {
      std::vector<int32_t> chunk(static_cast<std::size_t>(std::min<int64_t>(full_items, data.items() + 1 - first)));
      std::iota(chunk.begin(), chunk.end(), first);
      std::vector<int32_t> items;
      for (std::size_t u = 0; u < users.size(); ++u) items.insert(items.end(), chunk.begin(), chunk.end());
      const Tensor scores = score_items(users, items);
      for (std::size_t u = 0; u < users.size(); ++u)
        for (std::size_t c = 0; c < chunk.size(); ++c) {
          if (chunk[c] == positives[u] || before[u].count(chunk[c]) != 0) continue;
          const real s = scores.data()[u * chunk.size() + c], own = positive.data()[u];
          check(!std::isnan(s) && !std::isnan(own), "metrics: a score of user {} is NaN",
                data.original_user(users[u].user));
          RankCount& count = counts[begin + u];
          count.above += s > own;
          count.ties += s == own;
          ++count.negatives;
        }
    }
  }
  std::erase_if(counts, [](const RankCount& c) { return c.negatives == 0; });
  return ranking_metrics(counts);
}

RankingMetrics evaluate_scores(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                               const Score& score) {
  const std::vector<Target> targets = held_out_targets(data, options.split);
  check(!targets.empty(), "evaluate: no user has a held-out action with a history before it");
  return (run.eval_negatives > 0 ? rank_sampled : rank_all)(data, run, options, targets, score);
}

}  // namespace

RankingMetrics evaluate(const Model& model, const Dataset& data, const RunSettings& run,
                        const EvaluationOptions& options) {
  return evaluate_scores(data, run, options, [&](const Batch& batch) { return model.score(data, batch, run); });
}

RankingMetrics evaluate_popularity(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                                   std::optional<int64_t> leave_out) {
  const int64_t left_out = leave_out.value_or(options.split == Split::test ? 1 : 2);
  std::vector<real> count(static_cast<std::size_t>(data.items()) + 1, 0);
  for (int64_t user = 0; user < data.users(); ++user) {
    const auto items = data.user_items(user);
    for (int64_t p = 0; p + left_out < std::ssize(items); ++p) ++count[items[p]];
  }
  return evaluate_scores(data, run, options, [&](const Batch& batch) {
    Tensor scores = Tensor::empty({batch.size(), batch.candidates()});
    real* s = scores.write();
    for (int64_t i = 0; i < scores.numel(); ++i) s[i] = count[batch.items[batch.targets.item[i]]];
    return scores;
  });
}

ExposureMetrics evaluate_exposures(const Model& model, const Dataset& data, const RunSettings& run) {
  check(data.has_exposures(), "evaluate: the data set has no exposures");
  std::vector<Target> rows;
  std::vector<int32_t> items, queries, users;
  std::vector<uint8_t> clicked;
  for (int64_t user = 0; user < data.users(); ++user) {
    const auto times = data.user_times(user);
    const Dataset::Exposures shown = data.exposures(user);
    for (std::size_t i = 0; i < shown.items.size(); ++i) {
      if (shown.times[i] < times.back()) continue;
      const auto position = std::lower_bound(times.begin(), times.end(), shown.times[i]) - times.begin();
      rows.push_back({static_cast<int32_t>(user), static_cast<int32_t>(position)});
      items.push_back(shown.items[i]);
      queries.push_back(shown.queries[i]);
      users.push_back(static_cast<int32_t>(user));
      clicked.push_back(shown.clicked[i]);
    }
  }
  check(!rows.empty(), "evaluate: nothing was shown at or after a test action");
  std::vector<real> scores;
  for (std::size_t begin = 0; begin < rows.size(); begin += exposures_at_once) {
    const std::size_t count = std::min<std::size_t>(exposures_at_once, rows.size() - begin);
    const Batch batch = make_batch(data, std::span(rows).subspan(begin, count), run.history,
                                   std::span(items).subspan(begin, count), std::span(queries).subspan(begin, count));
    const Tensor s = model.score(data, batch, run).contiguous();
    scores.insert(scores.end(), s.data(), s.data() + s.numel());
  }
  return exposure_metrics(scores, clicked, users);
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
