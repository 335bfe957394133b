#include "tensor/kernels.h"

#include <cstdlib>
#include <string_view>

#include "tensor/error.h"

namespace seminar::inline SEMINAR_PRECISION {

extern const Kernels kernels_base;
#ifdef __x86_64__
extern const Kernels kernels_avx2, kernels_avx512;
#endif

namespace {

const Kernels& choose() {
  const char* wish = std::getenv("SEMINAR_ISA");
  const std::string_view name = wish ? wish : "";
  check(name.empty() || name == "base" || name == "avx2" || name == "avx512",
        "SEMINAR_ISA: must be base, avx2 or avx512: {}", name);
#ifdef __x86_64__
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && (name.empty() || name == "avx512")) return kernels_avx512;
  if (avx2 && (name.empty() || name != "base")) return kernels_avx2;
#endif
  return kernels_base;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace seminar::inline SEMINAR_PRECISION
