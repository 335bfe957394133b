// What ranks candidates: a trained model, popularity, chance.
#pragma once

#include <map>
#include <string>

#include "seminar/model/model.h"

namespace seminar::inline SEMINAR_PRECISION {

/// In a protocol: the behaviours L that are looked at, and K that are kept of them.
inline constexpr const char *history_key = "history L", *kept_key = "kept K";

class Scorer {
 public:
  virtual ~Scorer() = default;
  /// A score per candidate [targets * T], higher is better; each target's history ends before its position.
  virtual std::vector<real> score(std::span<const Target> targets, const Candidates& candidates) const = 0;
  /// Whether scores are logits of a click, so that log loss and calibration mean something.
  virtual bool logits() const { return false; }
  /// What of a history is read, by the names history_key and kept_key; nothing if no history is.
  virtual std::map<std::string, std::string> reads() const { return {}; }
};

/// A model that sees what `run` says; keeps references to all three.
class ModelScorer : public Scorer {
 public:
  ModelScorer(const Model& model, const Dataset& data, const RunSettings& run)
      : model_(model), data_(data), run_(run) {}
  std::vector<real> score(std::span<const Target> targets, const Candidates& candidates) const override;
  bool logits() const override { return true; }
  std::map<std::string, std::string> reads() const override {
    return {{history_key, std::to_string(run_.history)}, {kept_key, std::to_string(run_.k)}};
  }

 private:
  const Model& model_;
  const Dataset& data_;
  const RunSettings& run_;
};

/// How often users had an item, without the last `leave_out` actions of each: 1 when the test actions are to be
/// predicted, 2 for the validation actions or for what training sees. 0 counts the very actions to be predicted, as
/// some published figures do.
class Popularity : public Scorer {
 public:
  Popularity(const Dataset& data, int64_t leave_out);
  std::vector<real> score(std::span<const Target> targets, const Candidates& candidates) const override;

 private:
  std::size_t place(int32_t item) const;
  std::vector<real> count_;  // by item
};

/// A random number for each user, position and item: any item is as likely as any other to be first.
class Chance : public Scorer {
 public:
  explicit Chance(uint64_t seed) : rng_(Rng(seed).split("chance")) {}
  std::vector<real> score(std::span<const Target> targets, const Candidates& candidates) const override;

 private:
  Rng rng_;
};

}  // namespace seminar::inline SEMINAR_PRECISION
