// The row kernels for x86-64-v3 (AVX2, FMA).
#include "tensor/kernels/table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const Kernels kernels_avx2;
constexpr Kernels kernels_avx2 = kernel_table("avx2");
}  // namespace seminar::inline SEMINAR_PRECISION
