// The scan kernels for x86-64-v4 (AVX-512).
#include "tensor/scan_kernels_impl.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const ScanKernels scan_kernels_avx512;
const ScanKernels scan_kernels_avx512 = scan_table("avx512");
}  // namespace seminar::inline SEMINAR_PRECISION
