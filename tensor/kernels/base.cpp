// The row kernels for every CPU of the architecture.
#include "tensor/kernels/table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const Kernels kernels_base;
constexpr Kernels kernels_base = kernel_table("base");
}  // namespace seminar::inline SEMINAR_PRECISION
