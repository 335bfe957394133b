#include "seminar/model/restore.h"

#include <algorithm>

namespace seminar::inline SEMINAR_PRECISION {

void Model::restore(const Psu&, bool) { fail("restore: a {} model takes over nothing from a psu", kind()); }

void copy_parameters(const Params& from, const Params& to) {
  check(from.size() == to.size(), "restore: {} parameters into {}", from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Tensor& source = from[i].var.value();
    Tensor target = to[i].var.value();
    check(source.shape() == target.shape(), "restore: '{}' {} into '{}' {}", from[i].name, source.shape(), to[i].name,
          target.shape());
    std::copy_n(source.data(), source.numel(), target.write());
  }
}

void restore_inputs(const Psu& psu, const Encoders& encoders, const Fusion& fusion, bool all) {
  copy_parameters(parameters(psu.encoders), parameters(encoders));
  if (all) copy_parameters(parameters(psu.fusion), parameters(fusion));
}

}  // namespace seminar::inline SEMINAR_PRECISION
