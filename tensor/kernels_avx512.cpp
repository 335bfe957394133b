// The row kernels for x86-64-v4 (AVX-512).
#include "tensor/kernels_impl.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const Kernels kernels_avx512;
const Kernels kernels_avx512 = table("avx512");
}  // namespace seminar::inline SEMINAR_PRECISION
