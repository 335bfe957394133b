// The kernel tables of every instruction set that this CPU has, for tests that compare them.
#pragma once

#include <vector>

#include "pq/scan_kernels.h"
#include "tensor/kernels.h"

namespace seminar::inline SEMINAR_PRECISION {

extern const Kernels kernels_base;
extern const ScanKernels scan_kernels_base;
#ifdef __x86_64__
#define SEMINAR_X86(...) __VA_ARGS__
extern const Kernels kernels_avx2, kernels_avx512;
extern const ScanKernels scan_kernels_avx2, scan_kernels_avx512;
#else
#define SEMINAR_X86(...)
#endif

/// Those of `tables` (base, AVX2, AVX-512) that can run here.
template <class Table>
std::vector<const Table*> tables_of_this_cpu(std::vector<const Table*> tables) {
  bool known = false;
  tables.resize(static_cast<std::size_t>(widest_isa("", known)) + 1);
  return tables;
}

}  // namespace seminar::inline SEMINAR_PRECISION
