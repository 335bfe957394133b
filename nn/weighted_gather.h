// Fusion of vectors that stand in tables: one op for the gather of every channel and their weighted sum.
#pragma once

#include <span>

#include "autograd/var.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Σ_c gamma[n, c] · tables[c][ids[c][n], :] -> [n, d]: fusion of channel vectors that stand in tables (paper §3.3.1).
/// gamma [n, C], each table [rows, d], each of the C ids [n].
Var weighted_gather(const Var& gamma, std::span<const Var> tables, std::span<const Ids> ids);

}  // namespace seminar::inline SEMINAR_PRECISION
