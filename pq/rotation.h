// Linear maps that make vectors easier to code without changing inner products with targets: OPQ's rotation, and a
// transform that spends codes where targets look. d width, S sub-quantizers.
#pragma once

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

struct EigenDecomposition {
  std::vector<double> values;  ///< falling
  Tensor vectors;              ///< [d, d], one a column
};
/// Eigenvalues and orthonormal eigenvectors of a symmetric matrix [d, d], by Jacobi's rotations. Throws Error for
/// another shape or numbers that are not finite.
EigenDecomposition symmetric_eigen(const Tensor& a);

/// OPQ's parametric rotation R [d, d] for points [n, d]: their principal axes, dealt to the S sub-vectors so that the
/// products of variances are equal. x R is coded; (q R)·(x R) = q·x.
Tensor opq_rotation(const Tensor& points, int64_t sub_quantizers);

/// Maps for keys and targets with (q target)·(k key) = q·k.
struct ScoreTransform {
  Tensor key, target;  ///< [d, d]
};
/// The maps under which the squared coding error of a key is the mean squared error of its scores: keys are stretched
/// by the root of the targets' second moment, then rotated as by OPQ. keys [n, d], targets [m, d].
ScoreTransform score_transform(const Tensor& keys, const Tensor& targets, int64_t sub_quantizers);

}  // namespace seminar::inline SEMINAR_PRECISION
