// Instruction sets that kernels are compiled for, and which of them runs.
#pragma once

#include <string_view>

namespace seminar {

enum class Isa { base, avx2, avx512 };

/// The widest set up to `wish` (base, avx2 or avx512; empty: any) that this CPU has. `known` tells whether the name is
/// one.
Isa widest_isa(std::string_view wish, bool& known);

/// The set that every kernel table of this process uses: the widest up to the environment's SEMINAR_ISA. A name that is
/// not known counts as none here; kernels() of the engine refuses it.
Isa cpu_isa();

}  // namespace seminar
