// The number type of the engine, fixed at compile time. Not here: run-time dtypes.
// Everything that depends on it lives in `namespace seminar::inline SEMINAR_PRECISION`, so that objects of the
// float and the double build cannot be linked together by mistake.
#pragma once

#ifdef SEMINAR_DOUBLE
#define SEMINAR_PRECISION f64
#else
#define SEMINAR_PRECISION f32
#endif

namespace seminar::inline SEMINAR_PRECISION {
#ifdef SEMINAR_DOUBLE
using real = double;
#else
using real = float;
#endif
}  // namespace seminar::inline SEMINAR_PRECISION
