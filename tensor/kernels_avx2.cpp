// The row kernels for x86-64-v3 (AVX2, FMA).
#include "tensor/kernels_impl.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const Kernels kernels_avx2;
const Kernels kernels_avx2 = table("avx2");
}  // namespace seminar::inline SEMINAR_PRECISION
