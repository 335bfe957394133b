// Two pretraining losses as the SEMINAR authors' code computes them, mistakes included, to measure what the mistakes
// cost (docs/models.md). The paper's losses are in psu.cpp.
#pragma once

#include "autograd/ops.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Alignment with soft targets: of unit vectors a, b [B, L, d], each sequence cut into `chunks` runs, the symmetric
/// cross entropy of a bᵀ / 0.05 against softmax(0.05 (a aᵀ + b bᵀ) / 2), mean over the positions that `mask` [B, L]
/// keeps. The temperature multiplies in the targets where it should divide: they are near uniform.
Var soft_clip_loss(const Var& a, const Var& b, int64_t chunks, const Tensor& mask);

/// Query-item relevance with the wrong sign: of queries and items [B, L, d], mean over all positions, padding included,
/// of exp(cos(q_l, x_l) / 0.05) / Σ exp(cos(q_l, x_l') / 0.05) over 5 other positions, the same for the whole batch.
/// Minimised, it pushes a query away from its own item. Undefined for L < 2.
Var inverted_relevance_loss(const Var& queries, const Var& items, Rng rng);

}  // namespace seminar::inline SEMINAR_PRECISION
