#include "tensor/vector_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

extern const VectorKernels vector_kernels_base;
#ifdef __x86_64__
extern const VectorKernels vector_kernels_avx2, vector_kernels_avx512;
#endif

const VectorKernels& vector_kernels() {
#ifdef __x86_64__
  if (cpu_isa() == Isa::avx512) return vector_kernels_avx512;
  if (cpu_isa() == Isa::avx2) return vector_kernels_avx2;
#endif
  return vector_kernels_base;
}

}  // namespace seminar::inline SEMINAR_PRECISION
