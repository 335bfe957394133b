// How much memory training and evaluation will take, told from shapes before it is taken.
#pragma once

#include "seminar/model/model.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Bytes of tensors (tensor/pool.h); mapped data and the program itself come on top.
struct MemoryEstimate {
  int64_t parameters = 0;  ///< and, in training, Adam's moments and the copy of the best
  int64_t work = 0;        ///< the larger of a training step and a scored batch
  int64_t total() const { return parameters + work; }
};

/// For train() and evaluate() with these settings: from the shapes of a batch of the longest histories and the number
/// of tensors of each shape that are alive at the peak. Within a factor of two of the pool's own count for the kinds
/// "psu", "seminar" and "mean_pool" (tests/memory_test.cpp); other kinds are taken for the larger of these.
MemoryEstimate estimate_training(const Model& model, const Dataset& data, const RunSettings& run);
MemoryEstimate estimate_evaluation(const Model& model, const Dataset& data, const RunSettings& run);

}  // namespace seminar::inline SEMINAR_PRECISION
