// What a model takes over from the PSU (paper §3.3.2).
#pragma once

#include "seminar/model/psu.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Copies the values of a module's parameters to those of another of the same kind. Throws Error naming the parameter
/// whose shape differs.
void copy_parameters(const Params& from, const Params& to);
/// The PSU's encoders, and with `all` its fusion.
void restore_inputs(const Psu& psu, const Encoders& encoders, const Fusion& fusion, bool all);

}  // namespace seminar::inline SEMINAR_PRECISION
