// The scan kernels for every CPU of the architecture.
#include "tensor/scan_kernels_impl.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const ScanKernels scan_kernels_base;
const ScanKernels scan_kernels_base = scan_table("base");
}  // namespace seminar::inline SEMINAR_PRECISION
