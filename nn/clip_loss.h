// CLIP's contrastive loss (Radford et al. 2021) as one op, and the scale of its logits.
#pragma once

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Chunked CLIP loss (paper §3.3.1): a, b [B, L, d] unit vectors, each sequence cut into `chunks` runs of ⌈L / chunks⌉
/// positions; per run the symmetric cross entropy of logit_scale · a bᵀ against the diagonal, summed over runs and
/// divided by B. `mask` [B, L] (undefined: all) leaves positions out with 0. logit_scale is a scalar.
Var clip_loss(const Var& a, const Var& b, const Var& logit_scale, int64_t chunks, const Tensor& mask = {});

/// exp(log_scale), at most 100: the 1 / temperature of CLIP's loss. Beyond 100 it has no gradient.
Var clip_scale(const Var& log_scale);

}  // namespace seminar::inline SEMINAR_PRECISION
