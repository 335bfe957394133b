// The table of the kernels of scans, included by every <isa>.cpp.
#pragma once

#include "pq/kernels/byte_scores.h"
#include "pq/kernels/look_up.h"
#include "pq/kernels/selection.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr ScanKernels scan_table(const char* isa) {
  return {.isa = isa,
          .code_sums = code_sums,
          .byte_tables = byte_tables,
          .byte_code_scores = byte_code_scores,
          .byte_scores = byte_scores,
          .top_bound = top_bound,
          .select_ge = select_ge,
          .ranks = ranks};
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
