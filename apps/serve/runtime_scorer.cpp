#include "apps/serve/runtime_scorer.h"

#include <algorithm>

#include "tensor/io/safetensors.h"

namespace seminar {

void check_runtime(seminar_status status) {
  if (status == SEMINAR_NO_MEMORY) throw std::bad_alloc();
  check(status == SEMINAR_OK, "{}", seminar_last_error());
}

ModelHandle open_model(const std::string& path) {
  seminar_model* model = nullptr;
  check_runtime(seminar_model_open(path.c_str(), nullptr, &model));
  return ModelHandle(model);
}

ModelHandle open_model(const std::string& path, const Dataset& data) {
  ModelHandle model = open_model(path);
  const SafetensorsFile file(path);
  check(file.meta("data") == data.fingerprint(), "{}: made for another data set: {}, this one is {}", path,
        file.meta("data"), data.fingerprint());
  return model;
}

UserHandle make_user(const seminar_model* model, const seminar_user_options& options) {
  seminar_user* user = nullptr;
  check_runtime(seminar_user_create(model, &options, &user));
  return UserHandle(user);
}

FinderHandle make_finder(const seminar_model* model) {
  seminar_finder* finder = nullptr;
  check_runtime(seminar_finder_create(model, &finder));
  return FinderHandle(finder);
}

bool is_exported(const std::string& path) {
  const SafetensorsFile file(path);
  return file.metadata().contains("format") && file.meta("format") == "seminar-runtime-1";
}

ExportedSettings exported_settings(const std::string& path) {
  const ModelHandle model = open_model(path);
  seminar_user_options options;
  check_runtime(seminar_user_defaults(model.get(), &options));
  return {options.history, options.k};
}

RuntimeScorer::RuntimeScorer(const std::string& path, const Dataset& data, const RunSettings& run)
    : model_(open_model(path, data)), data_(data) {
  check(run.gsu == "exact" || run.gsu == "pq", "--gsu: an exported model has exact and pq: '{}'", run.gsu);
  options_ = {static_cast<int32_t>(run.history), static_cast<int32_t>(std::min(run.k, run.history)), run.gsu == "pq",
              nullptr};
}

std::vector<real> RuntimeScorer::score(std::span<const Target> targets, const Candidates& candidates) const {
  const std::size_t each = candidates.items.size() / targets.size();
  const UserHandle user = make_user(model_.get(), options_);
  std::vector<seminar_pair> pairs(each);
  std::vector<float> scores(each);
  std::vector<real> all;
  all.reserve(candidates.items.size());
  for (std::size_t t = 0; t < targets.size(); ++t) {
    check_runtime(seminar_user_clear(user.get()));
    const auto items = data_.user_items(targets[t].user), queries = data_.user_queries(targets[t].user);
    for (int64_t p = std::max<int64_t>(0, targets[t].position - options_.history); p < targets[t].position; ++p) {
      const seminar_pair behaviour{items[p], queries[p], nullptr};
      check_runtime(seminar_user_append(user.get(), &behaviour));
    }
    for (std::size_t i = 0; i < each; ++i)
      pairs[i] = {candidates.items[t * each + i], candidates.queries[t * each + i], nullptr};
    check_runtime(seminar_rank(user.get(), pairs.data(), each, scores.data(), nullptr));
    all.insert(all.end(), scores.begin(), scores.end());
  }
  return all;
}

}  // namespace seminar
