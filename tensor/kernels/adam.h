// One step of Adam or AdamW.
#pragma once

#include "tensor/kernels.h"
#include "tensor/kernels/vec.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// p_i -= decay p_i
// m_i = β₁ m_i + (1 - β₁) g_i,  v_i = β₂ v_i + (1 - β₂) g_i²
// p_i -= step_size m_i / (√v_i denominator_scale + eps)
void adam(int64_t n, real* p, real* m, real* v, const real* g, const AdamStep& step) {
  const AdamStep s = step;
  for (int64_t i = 0; i < n; ++i) {
    p[i] -= s.decay * p[i];
    m[i] = s.beta1 * m[i] + (1 - s.beta1) * g[i];
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * g[i] * g[i];
    p[i] -= s.step_size * m[i] / (static_cast<real>(::sqrt(v[i])) * s.denominator_scale + s.eps);
  }
}

}  // namespace
}  // namespace seminar::inline SEMINAR_PRECISION
