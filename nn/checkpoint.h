// Parameters to and from safetensors, by name.
#pragma once

#include "nn/module.h"
#include "tensor/safetensors.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Adds every parameter under its path.
void add_parameters(SafetensorsWriter& file, const Params& params);
/// Reads every parameter in place; throws Error naming file, parameter and both shapes if one is missing, has another
/// shape or holds NaN or infinity.
void load_parameters(const SafetensorsFile& file, const Params& params);

}  // namespace seminar::inline SEMINAR_PRECISION
