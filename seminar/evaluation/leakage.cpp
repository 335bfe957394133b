#include "seminar/evaluation/leakage.h"

#include <algorithm>
#include <set>

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t held_out_actions = 2;  // actions of each user outside the training part

int64_t training_length(const Dataset& data, int64_t user) {
  return std::max<int64_t>(0, std::ssize(data.user_items(user)) - held_out_actions);
}

// What is asked of the data as a whole.
struct Facts {
  std::vector<bool> item_trained, query_trained;  // in the training part
  std::vector<int32_t> item_of_query;             // the only item a query stands at; 0: none, -1: several
  std::vector<int64_t> training_times;            // ascending
  bool has_times = false;

  explicit Facts(const Dataset& data)
      : item_trained(static_cast<std::size_t>(data.items()) + 1),
        query_trained(static_cast<std::size_t>(data.queries())),
        item_of_query(static_cast<std::size_t>(data.queries())) {
    for (int64_t user = 0; user < data.users(); ++user) {
      const auto items = data.user_items(user), queries = data.user_queries(user);
      const auto times = data.user_times(user);
      for (int64_t p = 0; p < std::ssize(items); ++p) {
        has_times |= data.info().has_times && times[p] != p;  // places are no times
        int32_t& item = item_of_query.at(static_cast<std::size_t>(queries[p]));
        item = item == 0 || item == items[p] ? items[p] : -1;
        if (p >= training_length(data, user)) continue;
        item_trained.at(static_cast<std::size_t>(items[p])) = true;
        query_trained[static_cast<std::size_t>(queries[p])] = true;
        training_times.push_back(times[p]);
      }
    }
    std::sort(training_times.begin(), training_times.end());
  }
};

bool words_in_title(const Dataset& data, int32_t query, int32_t item) {
  const auto words = data.query_words(query), title = data.item_words(item);
  return std::all_of(words.begin(), words.end(),
                     [&](int32_t w) { return std::find(title.begin(), title.end(), w) != title.end(); });
}

SplitLeakage look_at(const Dataset& data, const Facts& facts, Split split) {
  SplitLeakage found;
  for (const Target& t : held_out_targets(data, split)) {
    const auto items = data.user_items(t.user);
    const auto times = data.user_times(t.user);
    const auto before = items.first(static_cast<std::size_t>(t.position));
    const int32_t item = items[t.position], query = data.user_queries(t.user)[t.position];
    const std::size_t q = static_cast<std::size_t>(query);
    ++found.targets;
    found.repeated += std::find(before.begin(), before.end(), item) != before.end();
    found.cold += !facts.item_trained[static_cast<std::size_t>(item)];
    if (query != 0) {
      const bool only = facts.item_of_query[q] == item;
      ++found.queried;
      found.query_of_one_item += only;
      found.query_known += only && facts.query_trained[q];
      found.query_in_title += words_in_title(data, query, item);
    }
    if (!facts.has_times) continue;
    found.same_time += times[t.position] == times[t.position - 1];
    const auto& training = facts.training_times;
    const auto later = training.end() - std::upper_bound(training.begin(), training.end(), times[t.position]);
    found.before_training += later > 0;
    if (!training.empty()) found.later_training += static_cast<double>(later) / static_cast<double>(training.size());
  }
  if (found.targets > 0) found.later_training /= static_cast<double>(found.targets);
  return found;
}

void compare_negatives(const Dataset& data, const RunSettings& run, Leakage& found) {
  for (const Target& valid : held_out_targets(data, Split::valid)) {
    const Target test{valid.user, valid.position + 1};
    const auto negatives = [&](const Target& t, Split split) {
      const std::vector<int32_t> items = sampled_candidates(data, run, {split}, {&t, 1}).items;
      return std::set<int32_t>(items.begin() + 1, items.end());
    };
    const std::set<int32_t> a = negatives(valid, Split::valid), b = negatives(test, Split::test);
    const auto both = std::count_if(b.begin(), b.end(), [&](int32_t item) { return a.count(item) != 0; });
    const auto items = data.user_items(valid.user);
    const std::set<int32_t> had(items.begin(), items.begin() + valid.position + 1);  // validation draws from the rest
    ++found.users;
    found.shared += static_cast<double>(both) / static_cast<double>(b.size());
    found.shared_chance += static_cast<double>(a.size()) / static_cast<double>(data.items() - std::ssize(had));
    found.same_negatives += a == b;
  }
  if (found.users == 0) return;
  found.shared /= static_cast<double>(found.users);
  found.shared_chance /= static_cast<double>(found.users);
}

double share_of_later_items(const Dataset& data) {
  double total = 0;
  int64_t targets = 0;
  for (int64_t user = 0; user < data.users(); ++user) {
    const auto items = data.user_items(user);
    const std::set<int32_t> all(items.begin(), items.end());
    std::set<int32_t> had;
    for (int64_t p = 0; p < training_length(data, user); ++p) {
      had.insert(items[static_cast<std::size_t>(p)]);
      if (p == 0 || std::ssize(had) == data.items()) continue;
      total += static_cast<double>(all.size() - had.size()) / static_cast<double>(data.items() - std::ssize(had));
      ++targets;
    }
  }
  return targets > 0 ? total / static_cast<double>(targets) : 0;
}

}  // namespace

Leakage find_leakage(const Dataset& data, const RunSettings& run) {
  const Facts facts(data);
  Leakage found{look_at(data, facts, Split::valid), look_at(data, facts, Split::test), facts.has_times,
                run.eval_negatives};
  found.later_items = share_of_later_items(data);
  if (run.eval_negatives > 0) compare_negatives(data, run, found);
  return found;
}

}  // namespace seminar::inline SEMINAR_PRECISION
