#include "seminar/evaluation/evaluate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t exposures_at_once = 256;

bool brings_negatives(const Dataset& data, const RunSettings& run, Split split) {
  if (split != Split::test) return false;
  const std::vector<Target> targets = held_out_targets(data, split, task_of(run));
  return std::all_of(targets.begin(), targets.end(),
                     [&](const Target& t) { return std::ssize(data.negatives(t.user)) == run.eval_negatives; });
}

// In search the query is what is asked.
bool shows_query(const RunSettings& run, const EvaluationOptions& options) {
  return options.show_query || task_of(run) == Task::psr;
}

std::vector<Target> evaluated_targets(const Dataset& data, const RunSettings& run, const EvaluationOptions& options) {
  std::vector<Target> targets = held_out_targets(data, options.split, task_of(run));
  check(!targets.empty(), "evaluate: no user has a held-out {} with a history before it",
        run.task == "psr" ? "search" : "action");
  const int64_t count = std::ssize(targets);
  if (options.users <= 0 || options.users >= count) return targets;
  const Permutation draw(count, Rng(static_cast<uint64_t>(run.eval_seed)).split("users"));
  std::vector<Target> drawn;
  for (int64_t i = 0; i < options.users; ++i) drawn.push_back(targets[static_cast<std::size_t>(draw(i))]);
  std::sort(drawn.begin(), drawn.end(), [](const Target& a, const Target& b) { return a.user < b.user; });
  return drawn;
}

std::map<std::string, std::string> protocol_of(const Dataset& data, const RunSettings& run,
                                               const EvaluationOptions& options) {
  const std::string drawn = fmt::format("drawn with seed {}", run.eval_seed);
  std::string candidates = "all items the user did not have before";
  if (run.eval_negatives > 0)
    candidates = fmt::format("{} negatives {}", run.eval_negatives,
                             brings_negatives(data, run, options.split) ? "of the data set" : drawn);
  return {{"data", data.fingerprint()},
          {"split", options.split == Split::test ? "test" : "validation"},
          {"candidates", candidates},
          {"task", run.task},
          {"query", shows_query(run, options) ? "shown" : "hidden"},
          {"users", options.users > 0 ? fmt::format("at most {}, {}", options.users, drawn) : "all"}};
}

// How the candidates of a split are drawn, and the stream they are drawn from.
BatchOptions candidate_options(const Dataset& data, const RunSettings& run, const EvaluationOptions& options) {
  return {.history = run.history,
          .negatives = run.eval_negatives,
          .hide_query = shows_query(run, options) ? 0.0 : 1.0,
          .own_negatives = brings_negatives(data, run, options.split),
          .impressions = task_of(run) == Task::psr};
}
Rng candidate_stream(const RunSettings& run, const EvaluationOptions& options) {
  return Rng(static_cast<uint64_t>(run.eval_seed)).split(options.split == Split::test ? "test" : "valid");
}

// The targets that this rank scores.
std::span<const Target> own_share(std::span<const Target> targets, int64_t at_once, const EvaluationOptions& options) {
  const Share share = share_of(*options.world, std::ssize(targets), at_once);
  return targets.subspan(static_cast<std::size_t>(share.begin), static_cast<std::size_t>(share.end - share.begin));
}

void rank_sampled(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                  std::span<const Target> all_targets, const Scorer& scorer, UserRanks& result) {
  const std::span<const Target> targets = own_share(all_targets, users_at_once, options);
  std::vector<real> scores;
  const BatchOptions draw = candidate_options(data, run, options);
  const Rng rng = candidate_stream(run, options);
  for (std::size_t begin = 0; begin < targets.size(); begin += users_at_once) {
    const auto users = targets.subspan(begin, std::min<std::size_t>(users_at_once, targets.size() - begin));
    const std::vector<real> s = scorer.score(users, draw_candidates(data, users, draw, rng));
    scores.insert(scores.end(), s.begin(), s.end());
    if (options.progress) options.progress(static_cast<int64_t>(begin + users.size()), std::ssize(targets));
  }
  scores = all_gather(*options.world, std::span<const real>(scores));
  const std::size_t candidates = static_cast<std::size_t>(1 + run.eval_negatives);
  result.ranks = rank_counts(scores, 1 + run.eval_negatives);
  std::vector<uint8_t> labels(scores.size(), 0);
  for (std::size_t first = 0; first < labels.size(); first += candidates) labels[first] = 1;
  result.auc = auc(scores, labels);
  if (scorer.logits()) result.calibration = calibration(scores, labels);
}

// A target in full ranking: the score of its item, the items that do not compete with it (sorted), and what is counted.
struct FullRow {
  real own = 0;
  std::vector<int32_t> left_out;
  RankCount rank;
};

// Counts the scores of the items first, first + 1, ... against a target.
void count_chunk(std::span<const real> scores, int32_t first, FullRow& row) {
  const auto count = [&](real s, int64_t by) {
    row.rank.above += by * (s > row.own);
    row.rank.ties += by * (s == row.own);
    row.rank.negatives += by;
  };
  for (const real s : scores) count(s, 1);
  for (auto at = std::lower_bound(row.left_out.begin(), row.left_out.end(), first);
       at != row.left_out.end() && *at - first < std::ssize(scores); ++at)
    count(scores[static_cast<std::size_t>(*at - first)], -1);
}

void rank_all(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
              std::span<const Target> all_targets, const Scorer& scorer, UserRanks& result) {
  const std::span<const Target> targets = own_share(all_targets, full_users, options);
  for (std::size_t begin = 0; begin < targets.size(); begin += full_users) {
    const auto users = targets.subspan(begin, std::min<std::size_t>(full_users, targets.size() - begin));
    const auto query = [&](const Target& t) {
      return shows_query(run, options) ? data.user_queries(t.user)[t.position] : 0;
    };
    const auto scored = [&](const Candidates& candidates) {
      std::vector<real> scores = scorer.score(users, candidates);
      for (std::size_t i = 0; i < scores.size(); ++i)
        check(!std::isnan(scores[i]), "metrics: a score of user {} is NaN",
              data.original_user(users[i * users.size() / scores.size()].user));
      return scores;
    };
    std::vector<FullRow> rows(users.size());
    Candidates positives;
    for (std::size_t u = 0; u < users.size(); ++u) {
      const auto items = data.user_items(users[u].user).first(static_cast<std::size_t>(users[u].position) + 1);
      positives.items.push_back(items.back());
      positives.queries.push_back(query(users[u]));
      std::vector<int32_t>& left_out = rows[u].left_out;
      left_out.assign(items.begin(), items.end());
      std::sort(left_out.begin(), left_out.end());
      left_out.erase(std::unique(left_out.begin(), left_out.end()), left_out.end());
    }
    const std::vector<real> own = scored(positives);
    for (std::size_t u = 0; u < users.size(); ++u) rows[u].own = own[u];
    for (int32_t first = 1; first <= data.items(); first += full_items) {
      const std::size_t size = static_cast<std::size_t>(std::min<int64_t>(full_items, data.items() + 1 - first));
      Candidates chunk;
      chunk.items.resize(users.size() * size);
      for (std::size_t u = 0; u < users.size(); ++u) {
        const auto at = chunk.items.begin() + static_cast<std::ptrdiff_t>(u * size);
        std::iota(at, at + static_cast<std::ptrdiff_t>(size), first);
        chunk.queries.insert(chunk.queries.end(), size, query(users[u]));
      }
      const std::vector<real> scores = scored(chunk);
      for (std::size_t u = 0; u < users.size(); ++u)
        count_chunk(std::span(scores).subspan(u * size, size), first, rows[u]);
    }
    for (std::size_t u = 0; u < users.size(); ++u) {
      if (rows[u].rank.negatives == 0) continue;
      result.users.push_back(users[u].user);
      result.ranks.push_back(rows[u].rank);
    }
    if (options.progress) options.progress(static_cast<int64_t>(begin + users.size()), std::ssize(targets));
  }
  result.users = all_gather(*options.world, std::span<const int32_t>(result.users));
  result.ranks = all_gather(*options.world, std::span<const RankCount>(result.ranks));
  check(!result.users.empty() || all_targets.empty(),
        "evaluate: no candidate is left: every user has had all items of the catalogue");
}

nlohmann::ordered_json calibration_json(const Calibration& c) {
  return {{"log_loss", c.log_loss},
          {"mean_prediction", c.mean_prediction},
          {"mean_label", c.mean_label},
          {"ratio", c.ratio()},
          {"expected_calibration_error", c.error}};
}

}  // namespace

Candidates sampled_candidates(const Dataset& data, const RunSettings& run, const EvaluationOptions& options,
                              std::span<const Target> targets) {
  return draw_candidates(data, targets, candidate_options(data, run, options), candidate_stream(run, options));
}

UserRanks rank_users(const Scorer& scorer, const Dataset& data, const RunSettings& run,
                     const EvaluationOptions& options) {
  const std::vector<Target> targets = evaluated_targets(data, run, options);
  UserRanks result;
  result.protocol = protocol_of(data, run, options);
  result.protocol.merge(scorer.reads());
  if (run.eval_negatives > 0) {
    for (const Target& t : targets) result.users.push_back(t.user);
    rank_sampled(data, run, options, targets, scorer, result);
  } else {
    rank_all(data, run, options, targets, scorer, result);
  }
  return result;
}

UserRanks rank_users(const Model& model, const Dataset& data, const RunSettings& run,
                     const EvaluationOptions& options) {
  return rank_users(ModelScorer(model, data, run), data, run, options);
}

RankingMetrics evaluate(const Model& model, const Dataset& data, const RunSettings& run,
                        const EvaluationOptions& options) {
  return ranking_metrics(rank_users(model, data, run, options));
}

ExposureMetrics evaluate_exposures(const Scorer& scorer, const Dataset& data, Communicator& world) {
  check(data.has_exposures(), "evaluate: the data set has no exposures");
  std::vector<Target> rows;
  Candidates shown;
  std::vector<int32_t> users;
  std::vector<uint8_t> clicked;
  for (int64_t user = 0; user < data.users(); ++user) {
    const auto times = data.user_times(user);
    const Dataset::Exposures all = data.exposures(user);
    for (std::size_t i = 0; i < all.items.size(); ++i) {
      if (times.empty() || all.times[i] < times.back()) continue;
      rows.push_back({static_cast<int32_t>(user), static_cast<int32_t>(std::ssize(times) - 1), all.times[i]});
      shown.items.push_back(all.items[i]);
      shown.queries.push_back(all.queries[i]);
      users.push_back(static_cast<int32_t>(user));
      clicked.push_back(all.clicked[i]);
    }
  }
  check(!rows.empty(), "evaluate: nothing was shown at or after a test action");
  std::vector<real> scores;
  const Share share = share_of(world, std::ssize(rows), exposures_at_once);
  for (int64_t begin = share.begin; begin < share.end; begin += exposures_at_once) {
    const std::size_t count = static_cast<std::size_t>(std::min(share.end - begin, exposures_at_once));
    const auto part = [&](const auto& all) { return std::span(all).subspan(static_cast<std::size_t>(begin), count); };
    const auto items = part(shown.items), queries = part(shown.queries);
    const std::vector<real> s =
        scorer.score(part(rows), {{items.begin(), items.end()}, {queries.begin(), queries.end()}});
    scores.insert(scores.end(), s.begin(), s.end());
  }
  scores = all_gather(world, std::span<const real>(scores));
  ExposureMetrics m = exposure_metrics(scores, clicked, users);
  if (scorer.logits()) m.scores = calibration(scores, clicked);
  return m;
}

std::vector<Interval> metric_intervals(std::span<const RankCount> ranks, Ties ties, uint64_t seed) {
  std::vector<Interval> intervals;
  for (const Metric& metric : user_metrics()) intervals.push_back(bootstrap(gains(metric, ranks, ties), seed));
  return intervals;
}

std::string metrics_json(const std::string& model, const std::map<std::string, std::string>& protocol,
                         const RankingMetrics& m, std::span<const Interval> intervals) {
  check_identities(m);
  nlohmann::ordered_json json{{"model", model},
                              {"protocol", protocol},
                              {"users", m.users},
                              {"candidates", m.candidates},
                              {"ties", name_of(m.ties)}};
  for (std::size_t i = 0; i < user_metrics().size(); ++i) {
    const Metric& metric = user_metrics()[i];
    json["metrics"][metric.name] = m.*metric.mean;
    json["intervals"][metric.name] = {intervals[i].low, intervals[i].high};
  }
  json["metrics"]["auc"] = m.auc;
  json["metrics"]["tie_rate"] = m.tie_rate;
  if (m.calibration) json["calibration"] = calibration_json(*m.calibration);
  return json.dump(2);
}

std::string metrics_json(const std::string& model, const ExposureMetrics& m, const Interval& gauc_users) {
  nlohmann::ordered_json json{
      {"model", model},
      {"shown", m.shown},
      {"clicked", m.clicked},
      {"users", m.users.size()},
      {"dropped_users", m.dropped_users},
      {"metrics",
       {{"auc", m.auc}, {"gauc", m.gauc}, {"gauc_by_clicks", m.gauc_clicks}, {"gauc_unweighted", m.gauc_users}}},
      {"intervals", {{"gauc_unweighted", {gauc_users.low, gauc_users.high}}}}};
  if (m.scores) json["calibration"] = calibration_json(*m.scores);
  return json.dump(2);
}

}  // namespace seminar::inline SEMINAR_PRECISION
