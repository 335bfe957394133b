// The runtime as a scorer, so that an exported model is evaluated as a trained one is.
#pragma once

#include <memory>

#include "seminar/evaluation/scorer.h"
#include "seminar/runtime/seminar.h"

namespace seminar {

/// Throws Error with the runtime's message for a call that failed.
void check_runtime(seminar_status status);

struct CloseModel {
  void operator()(seminar_model* model) const { seminar_model_close(model); }
};
struct DestroyUser {
  void operator()(seminar_user* user) const { seminar_user_destroy(user); }
};
using ModelHandle = std::unique_ptr<seminar_model, CloseModel>;
struct DestroyFinder {
  void operator()(seminar_finder* finder) const { seminar_finder_destroy(finder); }
};
using FinderHandle = std::unique_ptr<seminar_finder, DestroyFinder>;
using UserHandle = std::unique_ptr<seminar_user, DestroyUser>;

ModelHandle open_model(const std::string& path);
/// The same for a model that must have been made for this data set.
ModelHandle open_model(const std::string& path, const Dataset& data);
/// A user with these options; throws Error for wrong ones.
UserHandle make_user(const seminar_model* model, const seminar_user_options& options);
/// What finds the best items of the catalogue for the model's users.
FinderHandle make_finder(const seminar_model* model);
/// Whether `path` is a file of `seminar export`.
bool is_exported(const std::string& path);

/// History L and K that an exported model was made with.
struct ExportedSettings {
  int64_t history, k;
};
ExportedSettings exported_settings(const std::string& path);

/// Ranks with an exported model. Histories and K are those of `run`; run.gsu is exact or pq.
class RuntimeScorer : public Scorer {
 public:
  /// Throws Error if the file is not of `seminar export` or was made for another data set.
  RuntimeScorer(const std::string& path, const Dataset& data, const RunSettings& run);
  std::vector<real> score(std::span<const Target> targets, const Candidates& candidates) const override;
  bool logits() const override { return true; }
  std::map<std::string, std::string> reads() const override {
    return {{history_key, std::to_string(options_.history)}, {kept_key, std::to_string(options_.k)}};
  }

 private:
  ModelHandle model_;
  const Dataset& data_;
  seminar_user_options options_;
};

}  // namespace seminar
