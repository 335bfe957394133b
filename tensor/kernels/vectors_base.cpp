// The kernels of ranking for every CPU of the architecture.
#include "tensor/kernels/vector_table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const VectorKernels vector_kernels_base;
constexpr VectorKernels vector_kernels_base = vector_table("base");
}  // namespace seminar::inline SEMINAR_PRECISION
