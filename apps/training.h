// Training with progress and interruption, as the train commands and the demo do it.
#pragma once

#include <string>

#include "seminar/trainer.h"

namespace seminar {

/// Trains with a progress display named `label`. Notes the validation NDCG@10 of every epoch on stderr. On Ctrl-C saves
/// the model so far to `save_as` and throws Interrupted.
TrainReport train_shown(const std::string& label, Model& model, const Dataset& data, const RunSettings& run,
                        const std::string& save_as);

/// Lets the model retrieve as run.gsu says; "pq" takes codes from the file `index`, or trains them if it is empty.
/// Throws Error for a model without GSU.
void use_gsu(Model& model, const Dataset& data, const RunSettings& run, const std::string& index);

}  // namespace seminar
