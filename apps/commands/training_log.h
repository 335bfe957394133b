// What training did, epoch by epoch, in a JSON file beside the model: for plots and for `seminar report`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "seminar/training/trainer.h"

namespace seminar {

/// Means over an epoch's steps (after a resumption: over those since), and what validation said.
struct EpochRecord {
  int64_t epoch = 0;
  double seconds = 0;  ///< since the training's start or resumption
  std::vector<std::pair<std::string, double>> loss;
  double valid_ndcg10 = 0;
};

/// The log of a model file: its name with ".log.json" behind.
std::string training_log_path(const std::string& model_path);
/// Throws Error if the file is no log.
std::vector<EpochRecord> read_training_log(const std::string& path);

/// Collects the steps of a training; the file is written anew after every epoch, or not at all if `path` is empty.
class TrainingLog {
 public:
  /// With `resume` the epochs that the file has are kept, up to the one that comes next.
  TrainingLog(std::string path, bool resume);
  void add(const TrainProgress& progress, double seconds);
  /// The epoch that ended last; null before the first one.
  const EpochRecord* last() const { return epochs_.empty() ? nullptr : &epochs_.back(); }

 private:
  void write() const;
  std::string path_;
  std::vector<EpochRecord> epochs_;
  std::vector<std::pair<std::string, double>> sums_;
  int64_t steps_ = 0;
};

}  // namespace seminar
