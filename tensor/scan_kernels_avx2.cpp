// The scan kernels for x86-64-v3 (AVX2, FMA).
#include "tensor/scan_kernels_impl.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const ScanKernels scan_kernels_avx2;
const ScanKernels scan_kernels_avx2 = scan_table("avx2");
}  // namespace seminar::inline SEMINAR_PRECISION
