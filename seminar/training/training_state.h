// Where a training run stands, in a checkpoint: enough to go on bit for bit as if it had never stopped. Random numbers
// are functions of seed, epoch and step, so the place in the run is all there is to store of them.
#pragma once

#include <vector>

#include "nn/optim.h"
#include "seminar/model/model.h"

namespace seminar::inline SEMINAR_PRECISION {

struct TrainingState {
  int64_t epoch = 0, batch = 0;  ///< the next step, both from 0
  int64_t targets = 0;           ///< trained on so far
  int64_t best_epoch = 0;        ///< from 1; 0 before the first validation
  double best_ndcg10 = 0;
  std::vector<Tensor> best;         ///< parameters of the best epoch
  std::vector<Tensor> epoch_start;  ///< parameters at the epoch's beginning, if something is derived from them
};

/// Writes a checkpoint atomically: a model file with the parameters as they are now, which load_model reads, and beside
/// them the state, Adam's moments and the settings.
void save_checkpoint(const TrainingState& state, const Adam& adam, const Model& model, const Dataset& data,
                     const RunSettings& run, const std::string& path);

/// Puts parameters, frozen tensors and moments in place and returns the state. Throws Error if the file is damaged or
/// its run had another kind of model, other settings (threads apart), tokenizer or data: they are named in one line.
TrainingState load_checkpoint(const std::string& path, Adam& adam, const Model& model, const Dataset& data,
                              const RunSettings& run);

/// Copies of the parameters' values, and values put back.
std::vector<Tensor> snapshot(const Params& params);
void put_back(const std::vector<Tensor>& values, const Params& params);

}  // namespace seminar::inline SEMINAR_PRECISION
