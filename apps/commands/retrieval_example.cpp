#include "apps/commands/retrieval_example.h"

#include <algorithm>
#include <numeric>

namespace seminar {

int64_t example_user(const Dataset& data) {
  std::vector<int64_t> users(static_cast<std::size_t>(data.users()));
  std::iota(users.begin(), users.end(), 0);
  std::stable_sort(users.begin(), users.end(),
                   [&](int64_t a, int64_t b) { return data.user_items(a).size() < data.user_items(b).size(); });
  return users[users.size() * 3 / 4];
}

RetrievalExample retrieval_example(const SeminarModel& model, const Dataset& data, RunSettings run, int64_t user,
                                   int64_t k) {
  const auto items = data.user_items(user), queries = data.user_queries(user);
  const Target target{static_cast<int32_t>(user), static_cast<int32_t>(items.size()) - 1};
  run.k = std::min(k, run.k);
  const Batch batch =
      make_batch(data, std::span(&target, 1), {run.history, 1, 1.0}, Rng(static_cast<uint64_t>(run.seed)));
  const Retrieved found = *model.retrieve(data, batch, run);
  RetrievalExample example{
      std::string(data.original_user(user)), std::string(data.title(items[target.position])), std::ssize(items), {}};
  for (int64_t i = 0; i < found.k && found.mask.data()[i] != 0; ++i) {
    const int32_t at = batch.begins[0] + found.positions[i];
    example.retrieved.push_back({std::string(data.title(items[at])),
                                 queries[at] == 0 ? std::string() : std::string(data.query_text(queries[at])),
                                 target.position - at});
  }
  return example;
}

}  // namespace seminar
