// Programs of tensor ops, made of bytes: ops on random shapes, views and wrong arguments. Every op must be refused with
// an Error, or give the same value and gradients for a view as for a copy.
#pragma once

#include "tests/fuzz/targets.h"

namespace seminar {

/// The target `tensor_ops`. An input is read if no op of it is refused.
FuzzTarget tensor_ops();

}  // namespace seminar
