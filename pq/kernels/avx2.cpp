// The kernels of scans for x86-64-v3 (AVX2, FMA).
#include "pq/kernels/table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const ScanKernels scan_kernels_avx2;
constexpr ScanKernels scan_kernels_avx2 = scan_table("avx2");
}  // namespace seminar::inline SEMINAR_PRECISION
