#include "tensor/scan_kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

extern const ScanKernels scan_kernels_base;
#ifdef __x86_64__
extern const ScanKernels scan_kernels_avx2, scan_kernels_avx512;
#endif

Isa cpu_isa(std::string_view wish, bool& known) {
  known = wish.empty() || wish == "base" || wish == "avx2" || wish == "avx512";
#ifdef __x86_64__
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && (wish.empty() || wish == "avx512")) return Isa::avx512;
  if (avx2 && wish != "base") return Isa::avx2;
#endif
  return Isa::base;
}

const ScanKernels& scan_kernels() {
#ifdef __x86_64__
  bool known = false;
  const Isa isa = cpu_isa("", known);
  if (isa == Isa::avx512) return scan_kernels_avx512;
  if (isa == Isa::avx2) return scan_kernels_avx2;
#endif
  return scan_kernels_base;
}

}  // namespace seminar::inline SEMINAR_PRECISION
