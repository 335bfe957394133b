// The kernels of scans for every CPU of the architecture.
#include "pq/kernels/table.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const ScanKernels scan_kernels_base;
constexpr ScanKernels scan_kernels_base = scan_table("base");
}  // namespace seminar::inline SEMINAR_PRECISION
