#include "nn/checkpoint.h"

#include <algorithm>
#include <cmath>

namespace seminar::inline SEMINAR_PRECISION {

void add_parameters(SafetensorsWriter& file, const Params& params) {
  for (const NamedParam& p : params) file.add(p.name, p.var.value());
}

void load_parameters(const SafetensorsFile& file, const Params& params) {
  for (const NamedParam& p : params) {
    const Tensor value = file.tensor(p.name);
    check(value.shape() == p.var.shape(), "{}: '{}': shape {} in the file, {} in the model", file.path(), p.name,
          value.shape(), p.var.shape());
    const real *begin = value.data(), *end = begin + value.numel();
    check(std::all_of(begin, end, [](real x) { return std::isfinite(x); }), "{}: '{}': holds NaN or infinity",
          file.path(), p.name);
    Tensor target = p.var.value();
    std::copy(begin, end, target.write());
  }
}

}  // namespace seminar::inline SEMINAR_PRECISION
