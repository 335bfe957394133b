#include "seminar/training/memory.h"

#include <algorithm>

#include "nn/module.h"
#include "seminar/data/features.h"
#include "seminar/evaluation/evaluate.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Tensors that are alive at the peak, by shape: n histories of L behaviours and T candidates of width d, H heads, K
// kept.
struct Alive {
  double block, token;                 ///< [tokens, d] for each block of the text Transformer, and besides
  double distinct;                     ///< [distinct items or queries, d]
  double history, aligned;             ///< [n, L, d], and for each item channel that is aligned
  double target, scores, asked, kept;  ///< [n, T, d], [n, T, H, L], [n, T, H, d], [n, T, K, d]
};

// Counted with the pool on data sets of 600 to 4000 users, with and without channels of ready-made vectors.
constexpr Alive psu_step{17.5, 3, 6, 4, 3, 9, 4.5, 6, 0}, seminar_step{17.5, 3, 6, 3, 0, 9, 4.5, 12, 2},
    mean_pool_step{17.5, 3, 6, 3, 0, 9, 0, 0, 0}, other_step{17.5, 3, 6, 20, 0, 9, 4.5, 12, 2};
constexpr Alive psu_score{0, 4.5, 2, 4, 0, 6, 1.2, 1.5, 0}, seminar_score{0, 4.5, 2, 2, 0, 6, 1.2, 1.5, 2.5},
    mean_pool_score{0, 4.5, 2, 2, 0, 10, 0, 0, 0}, other_score{0, 4.5, 2, 8, 0, 10, 1.2, 1.5, 2.5};

const Alive& alive(const std::string& kind, bool step) {
  if (kind == "psu") return step ? psu_step : psu_score;
  if (kind == "seminar") return step ? seminar_step : seminar_score;
  if (kind == "mean_pool") return step ? mean_pool_step : mean_pool_score;
  return step ? other_step : other_score;
}

// `rows` targets with the longest histories that `data` has before its last `held_out` actions, no user twice before
// all were taken.
std::vector<Target> longest(const Dataset& data, int64_t rows, int64_t held_out) {
  std::vector<Target> ends;
  for (int64_t user = 0; user < data.users(); ++user)
    if (const int64_t at = std::ssize(data.user_items(user)) - held_out; at >= 1)
      ends.push_back({static_cast<int32_t>(user), static_cast<int32_t>(at)});
  std::stable_sort(ends.begin(), ends.end(), [](const Target& a, const Target& b) { return a.position > b.position; });
  std::vector<Target> targets;
  for (int32_t back = 0; std::ssize(targets) < rows && !ends.empty() && ends[0].position > back; ++back)
    for (std::size_t i = 0; i < ends.size() && std::ssize(targets) < rows && ends[i].position > back; ++i)
      targets.push_back({ends[i].user, ends[i].position - back});
  return targets;
}

// Channels of ready-made vectors that the model has.
int64_t ready_made(const Dataset& data, const ModelSettings& s) {
  if (s.features == "none") return 0;
  const std::vector<std::string> channels = data.feature_channels();
  return std::count_if(channels.begin(), channels.end(), [](const std::string& c) { return c != numeric_channel; });
}

// Bytes of one step or one scored batch of `targets` with `candidates` each.
int64_t work_bytes(const Model& model, const Dataset& data, const RunSettings& run, std::span<const Target> targets,
                   int64_t candidates, bool step) {
  if (targets.empty()) return 0;
  const ModelSettings& s = model.settings();
  // The candidates are drawn where the batch is made; here any items do, as many distinct ones.
  std::vector<int32_t> items, queries(targets.size() * static_cast<std::size_t>(candidates), 0);
  for (std::size_t i = 0; i < queries.size(); ++i) items.push_back(1 + static_cast<int32_t>(i % data.items()));
  const Batch batch = make_batch(data, targets, run.history, items, queries);
  double tokens = 0;
  for (const int32_t item : batch.items)
    tokens += static_cast<double>(
        std::min<int64_t>(s.text_length, s.tokens == "bpe" ? s.text_length : std::ssize(data.item_words(item))));
  const double n = static_cast<double>(batch.size()), l = static_cast<double>(batch.length()),
               t = static_cast<double>(candidates), d = static_cast<double>(s.dim), h = static_cast<double>(s.heads),
               k = std::min(l, static_cast<double>(run.k)), channels = 2 + static_cast<double>(ready_made(data, s)),
               blocks = s.text == "transformer" && run.freeze != "text" ? static_cast<double>(s.text_layers) : 0;
  const Alive& a = alive(model.kind(), step);
  const double numbers = tokens * d * (a.block * blocks + a.token) +
                         static_cast<double>(batch.items.size() + batch.queries.size()) * d * a.distinct +
                         n * l * d * (a.history + (run.align_weight > 0 ? channels * a.aligned : 0)) +
                         n * t * (d * a.target + l * h * a.scores + d * h * a.asked + d * k * a.kept);
  return static_cast<int64_t>(numbers * sizeof(real));
}

int64_t scored_bytes(const Model& model, const Dataset& data, const RunSettings& run, int64_t held_out) {
  const bool all = run.eval_negatives == 0;
  return work_bytes(model, data, run, longest(data, all ? full_users : users_at_once, held_out),
                    all ? std::min(full_items, data.items()) : 1 + run.eval_negatives, false);
}

}  // namespace

MemoryEstimate estimate_training(const Model& model, const Dataset& data, const RunSettings& run) {
  // Values, two moments, the best; with a retriever of codes those of the epoch's beginning.
  const int64_t copies = run.gsu == "exact" ? 4 : 5,
                step = work_bytes(model, data, run, longest(data, run.batch / run.shards, 3), 1 + run.negatives, true);
  return {copies * count(model.params()) * int64_t{sizeof(real)}, std::max(step, scored_bytes(model, data, run, 2))};
}

MemoryEstimate estimate_evaluation(const Model& model, const Dataset& data, const RunSettings& run) {
  return {count(model.params()) * int64_t{sizeof(real)}, scored_bytes(model, data, run, 1)};
}

}  // namespace seminar::inline SEMINAR_PRECISION
