#include "seminar/data/batch.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

template <class T>
void shuffle(std::vector<T>& values, Rng& rng) {
  for (std::size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[static_cast<std::size_t>(rng.below(static_cast<int64_t>(i)))]);
}

// Numbers ids in order of first use.
class Numbering {
 public:
  explicit Numbering(int64_t table) : number_(static_cast<std::size_t>(table), -1) { (*this)(0); }
  int32_t operator()(int32_t id) {
    int32_t& n = number_[static_cast<std::size_t>(id)];
    if (n < 0) {
      n = static_cast<int32_t>(ids.size());
      ids.push_back(id);
    }
    return n;
  }
  std::vector<int32_t> ids;

 private:
  std::vector<int32_t> number_;
};

}  // namespace

std::vector<Target> train_targets(const Dataset& data, int64_t per_user, Rng rng) {
  std::vector<Target> targets;
  for (int64_t user = 0; user < data.users(); ++user) {
    const int64_t n = static_cast<int64_t>(data.user_items(user).size());
    std::vector<int32_t> positions(static_cast<std::size_t>(std::max<int64_t>(0, n - 3)));
    std::iota(positions.begin(), positions.end(), 1);
    if (per_user > 0 && static_cast<int64_t>(positions.size()) > per_user) {
      Rng stream = rng.split(static_cast<uint64_t>(user));
      shuffle(positions, stream);
      positions.resize(static_cast<std::size_t>(per_user));
      std::sort(positions.begin(), positions.end());
    }
    for (int32_t p : positions) targets.push_back({static_cast<int32_t>(user), p});
  }
  return targets;
}

std::vector<Target> held_out_targets(const Dataset& data, Split split) {
  check(split != Split::train, "held_out_targets: training targets are drawn by train_targets");
  std::vector<Target> targets;
  for (int64_t user = 0; user < data.users(); ++user) {
    const int32_t position = static_cast<int32_t>(data.user_items(user).size()) - (split == Split::test ? 1 : 2);
    if (position >= 1) targets.push_back({static_cast<int32_t>(user), position});
  }
  return targets;
}

std::vector<int32_t> draw_negatives(const Dataset& data, int32_t user, int64_t count, Rng& rng) {
  const auto seen = data.user_items(user);
  std::vector<int32_t> known(seen.begin(), seen.end());
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  const int64_t free = data.items() - static_cast<int64_t>(known.size());
  check(free >= count, "negatives: user {} has touched all but {} of {} items, {} negatives are needed",
        data.original_user(user), free, data.items(), count);
  std::vector<int32_t> drawn;
  while (static_cast<int64_t>(drawn.size()) < count) {
    const int32_t item = static_cast<int32_t>(1 + rng.below(data.items()));
    if (std::binary_search(known.begin(), known.end(), item)) continue;
    if (std::find(drawn.begin(), drawn.end(), item) == drawn.end()) drawn.push_back(item);
  }
  return drawn;
}

Batch make_batch(const Dataset& data, std::span<const Target> targets, const BatchOptions& options, const Rng& rng) {
  check(!targets.empty(), "batch: no targets");
  int64_t length = 1;
  for (const Target& t : targets) length = std::max(length, std::min<int64_t>(options.history, t.position));
  const int64_t rows = static_cast<int64_t>(targets.size()), candidates = 1 + options.negatives;
  Numbering items(data.items() + 1), queries(data.queries());
  std::vector<int32_t> history_item(static_cast<std::size_t>(rows * length), 0), history_query = history_item;
  std::vector<int32_t> target_item(static_cast<std::size_t>(rows * candidates), 0), target_query = target_item;
  Batch batch;
  batch.mask = Tensor::zeros({rows, length});
  batch.first = Tensor::zeros({rows, length});
  real *mask = batch.mask.write(), *first = batch.first.write();
  for (int64_t r = 0; r < rows; ++r) {
    const Target t = targets[r];
    const auto user_items = data.user_items(t.user), user_queries = data.user_queries(t.user);
    check(t.position < static_cast<int32_t>(user_items.size()), "batch: user {} has no action {}", t.user, t.position);
    const int32_t begin = static_cast<int32_t>(std::max<int64_t>(0, t.position - options.history));
    std::set<int32_t> met;
    for (int32_t p = begin; p < t.position; ++p) {
      const int64_t at = r * length + p - begin;
      history_item[at] = items(user_items[p]);
      history_query[at] = queries(user_queries[p]);
      mask[at] = 1;
      first[at] = met.insert(user_items[p]).second ? 1 : 0;
    }
    Rng stream = rng.split(static_cast<uint64_t>(t.user)).split(static_cast<uint64_t>(t.position));
    const int32_t query = stream.chance(options.hide_query) ? 0 : queries(user_queries[t.position]);
    const std::vector<int32_t> negatives = draw_negatives(data, t.user, options.negatives, stream);
    for (int64_t c = 0; c < candidates; ++c) {
      target_item[r * candidates + c] = items(c == 0 ? user_items[t.position] : negatives[c - 1]);
      target_query[r * candidates + c] = query;
    }
    batch.begins.push_back(begin);
  }
  batch.rows.assign(targets.begin(), targets.end());
  batch.items = std::move(items.ids);
  batch.queries = std::move(queries.ids);
  batch.history = {Ids({rows, length}, std::move(history_query)), Ids({rows, length}, std::move(history_item))};
  batch.targets = {Ids({rows, candidates}, std::move(target_query)), Ids({rows, candidates}, std::move(target_item))};
  return batch;
}

std::vector<std::vector<Target>> batches_by_length(std::vector<Target> targets, int64_t batch, int64_t history,
                                                   Rng rng) {
  // Sorting runs of 16 batches by length keeps the order random and the padding low.
  const std::size_t run = static_cast<std::size_t>(batch) * 16, step = static_cast<std::size_t>(batch);
  shuffle(targets, rng);
  const auto length = [&](const Target& t) { return std::min<int64_t>(t.position, history); };
  std::vector<std::vector<Target>> batches;
  for (std::size_t begin = 0; begin < targets.size(); begin += run) {
    const auto from = targets.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto to = targets.begin() + static_cast<std::ptrdiff_t>(std::min(targets.size(), begin + run));
    std::stable_sort(from, to, [&](const Target& a, const Target& b) { return length(a) < length(b); });
    for (auto at = from; at < to; at += std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(step), to - at))
      batches.emplace_back(at, at + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(step), to - at));
  }
  shuffle(batches, rng);
  return batches;
}

}  // namespace seminar::inline SEMINAR_PRECISION
