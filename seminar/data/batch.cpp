#include "seminar/data/batch.h"

#include <algorithm>
#include <unordered_set>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t batches_in_run = 16;  // sorted by length together
constexpr std::size_t batches_ahead = 2;

// Numbers ids in order of first use.
class Numbering {
 public:
  explicit Numbering(int64_t table) : number_(static_cast<std::size_t>(table), -1) { (*this)(0); }
  int32_t operator()(int32_t id) {
    check(id >= 0 && id < std::ssize(number_), "data set: damaged: id {} of {}; see 'seminar data info --verify'", id,
          number_.size());
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

Task task_of(const RunSettings& run) { return run.task == "psr" ? Task::psr : Task::ctr; }

namespace {

constexpr int64_t targets_held_out = 2;  // targets of a user that do not train

// The positions of a user's searches that have a history.
std::vector<int32_t> searched_positions(const Dataset& data, int64_t user) {
  const auto queries = data.user_queries(user);
  std::vector<int32_t> found;
  for (int32_t p = 1; p < std::ssize(queries); ++p)
    if (queries[static_cast<std::size_t>(p)] != 0) found.push_back(p);
  return found;
}

}  // namespace

EpochTargets::EpochTargets(const Dataset& data, int64_t per_user, int64_t batch, int64_t history, const Rng& rng,
                           int64_t window, Task task)
    : data_(data), per_user_(per_user), batch_(batch), history_(history), window_(window), rng_(rng), start_{0} {
  if (task == Task::psr) {
    std::vector<std::vector<int32_t>> all;
    for (int64_t user = 0; user < data.users(); ++user) {
      std::vector<int32_t> searches = searched_positions(data, user);
      searches.resize(static_cast<std::size_t>(std::max<int64_t>(0, std::ssize(searches) - targets_held_out)));
      all.push_back(std::move(searches));
    }
    searches_ = std::make_shared<const std::vector<std::vector<int32_t>>>(std::move(all));
  }
  for (int64_t user = 0; user < data.users(); ++user) {
    const int64_t all = positions(user);
    start_.push_back(start_.back() + (per_user > 0 ? std::min(per_user, all) : all));
  }
}

int64_t EpochTargets::positions(int64_t user) const {
  const int64_t all = searches_ ? std::ssize((*searches_)[static_cast<std::size_t>(user)])
                                : std::max<int64_t>(0, std::ssize(data_.user_items(user)) - 1 - targets_held_out);
  return window_ > 0 ? std::min(window_, all) : all;
}

Target EpochTargets::target(int64_t number) const {
  const int64_t at = std::upper_bound(start_.begin(), start_.end(), number) - start_.begin() - 1;
  const int64_t user = first_user_ + at, all = positions(user), k = number - start_[at];
  // Which k positions of a capped user take part is a permutation of the user's own.
  const Permutation draw(all, rng_.split("user").split(static_cast<uint64_t>(user)));
  const int64_t chosen = per_user_ > 0 && all > per_user_ ? draw(k) : k;
  if (searches_) {
    const std::vector<int32_t>& searches = (*searches_)[static_cast<std::size_t>(user)];
    return {static_cast<int32_t>(user), searches[searches.size() - static_cast<std::size_t>(all - chosen)]};
  }
  return {static_cast<int32_t>(user),
          static_cast<int32_t>(std::ssize(data_.user_items(user)) - targets_held_out - all + chosen)};
}

// The batches of a run of batches_in_run change places, so that the short one at its end may stand anywhere.
EpochTargets::Place EpochTargets::place(int64_t i) const {
  const int64_t run = i / batches_in_run, first = run * batches_in_run * batch_,
                count = std::min(size() - first, batches_in_run * batch_);
  const Permutation order((count + batch_ - 1) / batch_, rng_.split("run").split(static_cast<uint64_t>(run)));
  const int64_t begin = order(i % batches_in_run) * batch_;
  return {first, count, begin, std::min(count, begin + batch_)};
}

int64_t EpochTargets::rows(int64_t i) const {
  if (i >= batches()) return 0;
  const Place at = place(i);
  return at.end - at.begin;
}

std::vector<Target> EpochTargets::operator()(int64_t i) const {
  check(i >= 0 && i < batches(), "targets: batch {} of {}", i, batches());
  const Place at = place(i);
  const Permutation order(size(), rng_.split("order"));
  std::vector<Target> targets;
  for (int64_t k = 0; k < at.count; ++k) targets.push_back(target(order(at.first + k)));
  const auto length = [&](const Target& t) { return std::min<int64_t>(t.position, history_); };
  std::stable_sort(targets.begin(), targets.end(),
                   [&](const Target& a, const Target& b) { return length(a) < length(b); });
  return {targets.begin() + at.begin, targets.begin() + at.end};
}

EpochTargets EpochTargets::shard(int64_t i, int64_t shards) const {
  check(i >= 0 && i < shards && batch_ % shards == 0, "targets: shard {} of {} in batches of {}", i, shards, batch_);
  const auto border = [&](int64_t s) { return std::lower_bound(start_.begin(), start_.end(), size() * s / shards); };
  EpochTargets part = *this;
  part.batch_ = batch_ / shards;
  part.first_user_ = first_user_ + (border(i) - start_.begin());
  part.start_.assign(border(i), border(i + 1) + 1);
  for (int64_t& before : part.start_) before -= *border(i);
  return part;
}

EpochShards::EpochShards(const EpochTargets& epoch, int64_t shards) {
  for (int64_t s = 0; s < shards; ++s) parts_.push_back(epoch.shard(s, shards));
}

int64_t EpochShards::batches() const {
  int64_t most = 0;
  for (const EpochTargets& part : parts_) most = std::max(most, part.batches());
  return most;
}

int64_t EpochShards::rows(int64_t i) const {
  int64_t all = 0;
  for (const EpochTargets& part : parts_) all += part.rows(i);
  return all;
}

std::vector<Target> EpochShards::operator()(int64_t i, int64_t shard) const {
  const EpochTargets& part = parts_[static_cast<std::size_t>(shard)];
  return part.rows(i) > 0 ? part(i) : std::vector<Target>();
}

std::vector<Target> held_out_targets(const Dataset& data, Split split, Task task) {
  check(split != Split::train, "held_out_targets: training targets are drawn by EpochTargets");
  const int64_t back = split == Split::test ? 1 : 2;
  std::vector<Target> targets;
  for (int64_t user = 0; user < data.users(); ++user) {
    int64_t position = std::ssize(data.user_items(user)) - back;
    if (task == Task::psr) {
      const std::vector<int32_t> searches = searched_positions(data, user);
      position = std::ssize(searches) >= back ? searches[searches.size() - static_cast<std::size_t>(back)] : 0;
    }
    if (position >= 1) targets.push_back({static_cast<int32_t>(user), static_cast<int32_t>(position)});
  }
  return targets;
}

std::vector<int32_t> draw_negatives(const Dataset& data, const Target& t, int64_t count, Rng& rng,
                                    std::span<const int32_t> besides) {
  const auto items = data.user_items(t.user);
  const auto seen = items.first(std::min(items.size(), static_cast<std::size_t>(t.position) + 1));
  std::vector<int32_t> known(seen.begin(), seen.end());
  known.insert(known.end(), besides.begin(), besides.end());
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  const int64_t free = data.items() - static_cast<int64_t>(known.size());
  check(free >= count,
        "negatives: user {} had all but {} of {} items by then, {} negatives are needed: ask for {} or less with "
        "--eval-negatives or --negatives",
        data.original_user(t.user), free, data.items(), count, free);
  std::vector<int32_t> drawn;
  while (static_cast<int64_t>(drawn.size()) < count) {
    const int32_t item = static_cast<int32_t>(1 + rng.below(data.items()));
    if (std::binary_search(known.begin(), known.end(), item)) continue;
    if (std::find(drawn.begin(), drawn.end(), item) == drawn.end()) drawn.push_back(item);
  }
  return drawn;
}

namespace {

// Queries of the searches in a user's history before `position`.
std::vector<int32_t> searches(const Dataset& data, const Target& t) {
  std::vector<int32_t> found;
  for (const int32_t query : data.user_queries(t.user).first(static_cast<std::size_t>(t.position)))
    if (query != 0) found.push_back(query);
  return found;
}

constexpr int search_draws = 200;  // of an action that may be a search

// The query of a random training action that is a search of another query than `query`; `query` if none is met.
int32_t other_query(const Dataset& data, int32_t query, Rng& rng) {
  for (int i = 0; i < search_draws; ++i) {
    const auto queries = data.user_queries(rng.below(data.users()));
    const int64_t training = std::ssize(queries) - targets_held_out;
    if (training < 1) continue;
    const int32_t drawn = queries[static_cast<std::size_t>(rng.below(training))];
    if (drawn != 0 && drawn != query) return drawn;
  }
  return query;
}

// Items that the target's user was shown under its query and did not click, none that it had, each once, in a random
// order.
std::vector<int32_t> impressions_of(const Dataset& data, const Target& t, int32_t query, Rng& rng) {
  std::vector<int32_t> found;
  if (query == 0 || !data.has_exposures()) return found;
  const Dataset::Exposures shown = data.exposures(t.user);
  const auto had = data.user_items(t.user).first(static_cast<std::size_t>(t.position) + 1);
  for (std::size_t i = 0; i < shown.items.size(); ++i)
    if (shown.queries[i] == query && shown.clicked[i] == 0 &&
        std::find(had.begin(), had.end(), shown.items[i]) == had.end() &&
        std::find(found.begin(), found.end(), shown.items[i]) == found.end())
      found.push_back(shown.items[i]);
  for (std::size_t i = found.size(); i > 1; --i)
    std::swap(found[i - 1], found[static_cast<std::size_t>(rng.below(static_cast<int64_t>(i)))]);
  return found;
}

}  // namespace

Candidates draw_candidates(const Dataset& data, std::span<const Target> targets, const BatchOptions& options,
                           const Rng& rng) {
  Candidates c;
  for (const Target& t : targets) {
    const auto user_items = data.user_items(t.user), user_queries = data.user_queries(t.user);
    check(t.position >= 0 && t.position < std::ssize(user_items), "batch: user {} has no action {}", t.user,
          t.position);
    Rng stream = rng.split(static_cast<uint64_t>(t.user)).split(static_cast<uint64_t>(t.position));
    const int32_t query = stream.chance(options.hide_query) ? 0 : user_queries[t.position];
    std::vector<int32_t> negatives;
    if (options.own_negatives) {
      const auto own = data.negatives(t.user);
      check(std::ssize(own) == options.negatives, "negatives: user {} brings {}, {} are needed",
            data.original_user(t.user), own.size(), options.negatives);
      negatives.assign(own.begin(), own.end());
    } else {
      if (options.impressions) negatives = impressions_of(data, t, query, stream);
      negatives.resize(std::min(negatives.size(), static_cast<std::size_t>(options.negatives)));
      const std::size_t shown = negatives.size();
      for (const int32_t item :
           draw_negatives(data, t, options.negatives - static_cast<int64_t>(shown), stream, negatives))
        negatives.push_back(item);
    }
    c.items.push_back(user_items[t.position]);
    c.items.insert(c.items.end(), negatives.begin(), negatives.end());
    c.queries.push_back(query);
    const bool own_form = options.queries == NegativeQueries::own && query != 0;
    const std::vector<int32_t> own = own_form ? searches(data, t) : std::vector<int32_t>();
    for (std::size_t n = 0; n < negatives.size(); ++n) {
      if (options.queries == NegativeQueries::any && query != 0)
        c.queries.push_back(other_query(data, query, stream));
      else
        c.queries.push_back(own.empty() ? query : own[static_cast<std::size_t>(stream.below(std::ssize(own)))]);
    }
  }
  return c;
}

Batch make_batch(const Dataset& data, std::span<const Target> targets, const BatchOptions& options, const Rng& rng) {
  const Candidates c = draw_candidates(data, targets, options, rng);
  return make_batch(data, targets, options.history, c.items, c.queries);
}

Batch make_batch(const Dataset& data, std::span<const Target> targets, int64_t history, std::span<const int32_t> items,
                 std::span<const int32_t> queries) {
  const int64_t rows = std::ssize(targets);
  check(rows > 0, "batch: no targets");
  check(items.size() == queries.size() && !items.empty() && std::ssize(items) % rows == 0,
        "batch: {} items and {} queries for {} targets", items.size(), queries.size(), rows);
  int64_t length = 1;
  for (const Target& t : targets) length = std::max(length, std::min<int64_t>(history, t.position));
  Numbering item_number(data.items() + 1), query_number(data.queries());
  std::vector<int32_t> history_item(static_cast<std::size_t>(rows * length), 0), history_query = history_item;
  std::vector<int32_t> target_item, target_query;
  Batch batch;
  batch.mask = Tensor::zeros({rows, length});
  batch.first = Tensor::zeros({rows, length});
  real *mask = batch.mask.write(), *first = batch.first.write();
  std::unordered_set<int32_t> met;
  for (int64_t r = 0; r < rows; ++r) {
    const Target t = targets[r];
    const auto user_items = data.user_items(t.user), user_queries = data.user_queries(t.user);
    check(t.position >= 0 && t.position <= std::ssize(user_items), "batch: user {} has no action {}", t.user,
          t.position);
    const int32_t begin = static_cast<int32_t>(std::max<int64_t>(0, t.position - history));
    met.clear();
    for (int32_t p = begin; p < t.position; ++p) {
      const int64_t at = r * length + p - begin;
      history_item[at] = item_number(user_items[p]);
      history_query[at] = query_number(user_queries[p]);
      mask[at] = 1;
      first[at] = met.insert(user_items[p]).second ? 1 : 0;
    }
    batch.begins.push_back(begin);
  }
  for (const int32_t item : items) target_item.push_back(item_number(item));
  for (const int32_t query : queries) target_query.push_back(query_number(query));
  const int64_t candidates = std::ssize(items) / rows;
  batch.rows.assign(targets.begin(), targets.end());
  batch.items = std::move(item_number.ids);
  batch.queries = std::move(query_number.ids);
  batch.history = {Ids({rows, length}, std::move(history_query)), Ids({rows, length}, std::move(history_item))};
  batch.targets = {Ids({rows, candidates}, std::move(target_query)), Ids({rows, candidates}, std::move(target_item))};
  return batch;
}

BatchLoader::BatchLoader(int64_t count, std::function<Batch(int64_t)> make)
    : thread_([this, count, make = std::move(make)] { run(count, make); }) {}

BatchLoader::~BatchLoader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BatchLoader::run(int64_t count, const std::function<Batch(int64_t)>& make) {
  try {
    for (int64_t i = 0; i < count; ++i) {
      Batch batch = make(i);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stop_ || ready_.size() < batches_ahead; });
      if (stop_) return;
      ready_.push_back(std::move(batch));
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    error_ = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  done_ = true;
  changed_.notify_all();
}

std::optional<Batch> BatchLoader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_.empty() || done_; });
  if (ready_.empty()) {
    if (error_) std::rethrow_exception(error_);
    return std::nullopt;
  }
  Batch batch = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return batch;
}

}  // namespace seminar::inline SEMINAR_PRECISION
