#include "pq/scan_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

extern const ScanKernels scan_kernels_base;
#ifdef __x86_64__
extern const ScanKernels scan_kernels_avx2, scan_kernels_avx512;
#endif

const ScanKernels& scan_kernels() {
#ifdef __x86_64__
  if (cpu_isa() == Isa::avx512) return scan_kernels_avx512;
  if (cpu_isa() == Isa::avx2) return scan_kernels_avx2;
#endif
  return scan_kernels_base;
}

}  // namespace seminar::inline SEMINAR_PRECISION
