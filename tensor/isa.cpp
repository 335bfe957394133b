#include "tensor/isa.h"

#ifdef __x86_64__
#include <cpuid.h>

#include <atomic>
#include <cstdlib>
#endif

namespace seminar {

#ifdef __x86_64__
namespace {

// One bit of register ECX of a CPUID leaf, for features that the compilers' __builtin_cpu_supports does not name.
bool cpuid_ecx(unsigned leaf, int bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(leaf, &a, &b, &c, &d) != 0 && (c >> bit & 1) != 0;
}

// Every feature of x86-64-v3: the compiler may use any of them. F16C, MOVBE and LZCNT are asked for by their bits.
bool has_avx2() {
  return __builtin_cpu_supports("sse3") && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1") &&
         __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("avx") &&
         __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
         __builtin_cpu_supports("fma") && cpuid_ecx(1, 29) && cpuid_ecx(1, 22) && cpuid_ecx(0x80000001, 5);
}

// Every feature of x86-64-v4.
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

}  // namespace
#endif

Isa widest_isa(std::string_view wish, bool& known) {
  known = wish.empty() || wish == "base" || wish == "avx2" || wish == "avx512";
#ifdef __x86_64__
  if ((wish.empty() || wish == "avx512") && has_avx512()) return Isa::avx512;
  if (wish != "base" && has_avx2()) return Isa::avx2;
#endif
  return Isa::base;
}

Isa cpu_isa() {
#ifdef __x86_64__
  static std::atomic<int> found{-1};  // not a static of the result: its guard is in the C++ library, which C has not
  if (const int isa = found.load(std::memory_order_relaxed); isa >= 0) return static_cast<Isa>(isa);
  const char* wish = std::getenv("SEMINAR_ISA");
  bool known = false;
  const Isa wished = widest_isa(wish ? wish : "", known), isa = known ? wished : widest_isa("", known);
  found.store(static_cast<int>(isa), std::memory_order_relaxed);
  return isa;
#else
  return Isa::base;
#endif
}

}  // namespace seminar
