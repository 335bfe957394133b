// The kernels of ranking for x86-64-v3 (AVX2, FMA).
#include "tensor/kernels/vector_table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const VectorKernels vector_kernels_avx2;
constexpr VectorKernels vector_kernels_avx2 = vector_table("avx2");
}  // namespace seminar::inline SEMINAR_PRECISION
