// The model behind 'seminar serve': it can be replaced while it ranks.
#pragma once

#include <memory>
#include <mutex>

#include "apps/serve/ranking.h"
#include "apps/serve/server.h"

namespace seminar {

struct ModelServiceOptions {
  std::string path;
  bool map = false;     ///< map the file instead of reading it: less memory, and the file must stay as it is
  int64_t history = 0;  ///< behaviours that are kept of a user (0: as exported)
  RankingLimits limits;
  bool skip_unknown = false;
};

class ModelService : public RankingService {
 public:
  /// Loads the model. Throws Error if it cannot.
  explicit ModelService(ModelServiceOptions options);
  ~ModelService() override;
  /// Loads the file anew and swaps it in; requests that have begun keep the old model. Throws Error if it cannot: then
  /// the old one stays. By one thread at a time.
  void reload();
  Reply rank(const std::string& request, const Deadline& deadline) noexcept override;
  std::string model() const override;

 private:
  struct Loaded;
  std::shared_ptr<Loaded> load() const;
  std::shared_ptr<Loaded> current() const;
  const ModelServiceOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<Loaded> loaded_;
};

}  // namespace seminar
