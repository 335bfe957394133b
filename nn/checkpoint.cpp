#include "nn/checkpoint.h"

#include <algorithm>

#include "tensor/finite.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// The finite numbers called `name`, for parameter `p`.
Tensor load_checked(const SafetensorsFile& file, const std::string& name, const NamedParam& p) {
  Tensor value = file.tensor(name);
  check(value.shape() == p.var.shape(), "{}: '{}': shape {} in the file, {} in the model", file.path(), name,
        value.shape(), p.var.shape());
  check(first_not_finite(value) < 0, "{}: '{}': holds NaN or infinity", file.path(), name);
  return value;
}

}  // namespace

void add_parameters(SafetensorsWriter& file, const Params& params) {
  for (const NamedParam& p : params) file.add(p.name, p.var.value());
}

void load_parameters(const SafetensorsFile& file, const Params& params) {
  const std::vector<Tensor> values = load_values(file, "", params);
  for (std::size_t i = 0; i < params.size(); ++i) {
    Tensor to = params[i].var.value();
    std::copy_n(values[i].data(), values[i].numel(), to.write());
  }
}

void add_values(SafetensorsWriter& file, const std::string& prefix, const Params& params,
                const std::vector<Tensor>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) file.add(prefix + params[i].name, values[i]);
}

std::vector<Tensor> load_values(const SafetensorsFile& file, const std::string& prefix, const Params& params) {
  std::vector<Tensor> values;
  for (const NamedParam& p : params) values.push_back(load_checked(file, prefix + p.name, p));
  return values;
}

void add_optimizer(SafetensorsWriter& file, const std::string& prefix, const Params& params, const Adam& adam) {
  for (std::size_t i = 0; i < params.size(); ++i) {
    const auto& [m, v] = adam.moments()[i];
    if (!m.defined()) continue;
    file.add(prefix + "m." + params[i].name, m);
    file.add(prefix + "v." + params[i].name, v);
  }
}

void load_optimizer(const SafetensorsFile& file, const std::string& prefix, const Params& params, int64_t steps,
                    Adam& adam) {
  std::vector<Adam::Moments> moments;
  for (const NamedParam& p : params) {
    const std::string m = prefix + "m." + p.name, v = prefix + "v." + p.name;
    moments.push_back(file.has(m) ? Adam::Moments{load_checked(file, m, p), load_checked(file, v, p)}
                                  : Adam::Moments());
  }
  adam.restore(std::move(moments), steps);
}

}  // namespace seminar::inline SEMINAR_PRECISION
