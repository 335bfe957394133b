// The kernels of scans for x86-64-v4 (AVX-512).
#include "pq/kernels/table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const ScanKernels scan_kernels_avx512;
constexpr ScanKernels scan_kernels_avx512 = scan_table("avx512");
}  // namespace seminar::inline SEMINAR_PRECISION
