#include "tensor/kernels.h"

#include <cstdlib>

#include "tensor/error.h"

namespace seminar::inline SEMINAR_PRECISION {

extern const Kernels kernels_base;
#ifdef __x86_64__
extern const Kernels kernels_avx2, kernels_avx512;
#endif

namespace {

const Kernels& choose() {
  const char* wish = std::getenv("SEMINAR_ISA");
  bool known = false;
  widest_isa(wish ? wish : "", known);
  check(known, "SEMINAR_ISA: must be base, avx2 or avx512: {}", wish ? wish : "");
#ifdef __x86_64__
  if (cpu_isa() == Isa::avx512) return kernels_avx512;
  if (cpu_isa() == Isa::avx2) return kernels_avx2;
#endif
  return kernels_base;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace seminar::inline SEMINAR_PRECISION
