// The row kernels for every CPU of the architecture.
#include "tensor/kernels_impl.h"

namespace seminar::inline SEMINAR_PRECISION {
extern const Kernels kernels_base;
const Kernels kernels_base = table("base");
}  // namespace seminar::inline SEMINAR_PRECISION
