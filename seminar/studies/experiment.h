// One model of a study: trained, evaluated, and kept on disk, so that a study goes on where it stopped and several
// processes can share its work.
#pragma once

#include "seminar/evaluation/metrics.h"
#include "seminar/training/trainer.h"

namespace seminar::inline SEMINAR_PRECISION {

/// What is trained and how. Experiments of one study differ in few settings.
struct Experiment {
  std::string name;  ///< its line in a table
  double x = 0;      ///< its place on a figure's axis
  std::string kind;  ///< of model_kinds(), or "random", "popularity"
  ModelSettings model{};
  RunSettings run{};                         ///< run.seed is replaced by the job's
  std::optional<RunSettings> pretrain = {};  ///< of the PSU that the model starts from
  bool show_query = false;                   ///< evaluated as search: candidates share the target's query
  int64_t users = 0;                         ///< evaluated users, drawn by the seed (0: all)
  /// Another value per evaluated user (NaN: none), such as a share that only generated data tell.
  std::function<std::vector<double>(const Model&, const Dataset&, const RunSettings&)> measure = nullptr;
};

/// What came out.
struct Outcome {
  UserRanks ranks;
  std::vector<double> measured;  ///< of Experiment::measure
  int64_t passes = 0;            ///< over the training targets, pretraining included
  int64_t parameters = 0;
  double valid = 0, seconds = 0;  ///< best validation NDCG@10; time of training and evaluation
};

/// An experiment on a data set with a seed.
struct Job {
  const Experiment* experiment;
  const Dataset* data;
  std::string set;  ///< name of the data set
  int64_t seed;
};

/// Told the share of all jobs that is done, in per cent of a job, and the job at hand; may throw to stop.
using JobProgress = std::function<void(int64_t done, int64_t total, const std::string& job)>;

/// Runs the jobs, except those that `dir` holds already with the same settings and data, and returns the outcomes in
/// order. A job that another process is at is left to it and read when it is done. Each job leaves two files in `dir`:
/// ranks (ranks_file.h) and a JSON text. Throws Bug if metrics contradict each other.
std::vector<Outcome> run_jobs(std::span<const Job> jobs, const std::string& dir, const JobProgress& progress);

}  // namespace seminar::inline SEMINAR_PRECISION
