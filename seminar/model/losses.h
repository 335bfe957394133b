// The losses of a list of candidates whose first is the true one (paper §3.3.1 and §3.3.2): L_next, and the cross
// entropy of ŷ.
#pragma once

#include "autograd/ops.h"
#include "seminar/data/batch.h"
#include "seminar/settings.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Whether the head's output bias is learned: a softmax does not see it.
inline bool learns_bias(const RunSettings& run) { return run.ctr_loss == "bce"; }

/// Labels [B, T] of a batch: 1 for the first candidate.
Tensor candidate_labels(const Batch& batch);
/// L_next = -log softmax(logits)[true pair], mean over the rows: logits [B, T] of the true pair (the first) and T - 1
/// negative pairs, §3.3.1. Rows whose `weight` [B, T] (undefined: none) is zero take no part.
Var l_next(const Var& logits, const Tensor& weight = {});
/// Cross entropy of logits ŷ [B, T] against the first candidate, §3.3.2: of each candidate for itself, or of their
/// softmax (l_next), as run.ctr_loss says; over the rows that `weight` [B, T] (undefined: all) does not leave out with
/// zeros.
Var ctr_loss(const Var& logits, const Batch& batch, const RunSettings& run, const Tensor& weight = {});

}  // namespace seminar::inline SEMINAR_PRECISION
