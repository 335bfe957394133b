// The kernels of ranking for x86-64-v4 (AVX-512).
#include "tensor/kernels/vector_table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const VectorKernels vector_kernels_avx512;
constexpr VectorKernels vector_kernels_avx512 = vector_table("avx512");
}  // namespace seminar::inline SEMINAR_PRECISION
