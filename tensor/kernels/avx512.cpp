// The row kernels for x86-64-v4 (AVX-512).
#include "tensor/kernels/table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const Kernels kernels_avx512;
constexpr Kernels kernels_avx512 = kernel_table("avx512");
}  // namespace seminar::inline SEMINAR_PRECISION
