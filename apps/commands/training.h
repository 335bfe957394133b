// Training with progress, interruption and checkpoints, as the train commands and the demo do it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "seminar/training/memory.h"
#include "seminar/training/trainer.h"

namespace seminar {

/// Checkpoints as the commands take them.
struct CheckpointArguments {
  std::string file;         ///< empty: none
  double every = 300;       ///< s
  bool resume = false;      ///< go on from `file`
  std::string log;          ///< file for a log by epoch (training_log.h); empty: none
  std::string tensorboard;  ///< folder for an event file; empty: none
  std::string step_log;     ///< CSV file with a row per step; empty: none
  bool stats = false;       ///< note after every epoch where the time of a step goes and what it sends
};

/// Trains with a progress display named `label`. Notes the validation NDCG@10 of every epoch on stderr. On Ctrl-C the
/// checkpoint is written and Interrupted thrown. All ranks train together; rank 0 shows it.
TrainReport train_shown(const std::string& label, Model& model, const Dataset& data, const RunSettings& run,
                        const CheckpointArguments& checkpoint = {});

/// `--max-memory SIZE` of a command, in bytes (0: no limit).
void add_memory_limit(CLI::App& command, int64_t& bytes);
/// Throws Error with the estimate if `what` would need more than `limit`; tensors never take more from now on.
void limit_memory(int64_t limit, const MemoryEstimate& estimate, const std::string& what);

/// Lets the model retrieve as run.gsu says; "pq" takes codes from the file `index`, or trains them if it is empty.
/// Throws Error for a model without GSU.
void use_gsu(Model& model, const Dataset& data, const RunSettings& run, const std::string& index);

}  // namespace seminar
