// Parameters and optimizer state to and from safetensors, by name.
#pragma once

#include "nn/optim.h"
#include "tensor/io/safetensors.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Adds every parameter under its path.
void add_parameters(SafetensorsWriter& file, const Params& params);
/// Reads every parameter in place; throws Error naming file, parameter and both shapes if one is missing, has another
/// shape or holds NaN or infinity. Then no parameter has changed.
void load_parameters(const SafetensorsFile& file, const Params& params);

/// The same for tensors that belong to parameters, one each, under `prefix` and the parameter's path.
void add_values(SafetensorsWriter& file, const std::string& prefix, const Params& params,
                const std::vector<Tensor>& values);
std::vector<Tensor> load_values(const SafetensorsFile& file, const std::string& prefix, const Params& params);

/// Writes the parameters and buffers of a module to a safetensors file.
template <class M>
void save(const M& module, const std::string& path) {
  SafetensorsWriter file;
  add_parameters(file, parameters(module));
  add_parameters(file, buffers(module));
  file.save(path);
}
/// Reads them back in place, all or none; throws Error as load_parameters does.
template <class M>
void load(const std::string& path, M& module) {
  Params tensors = parameters(module);
  for (NamedParam& buffer : buffers(module)) tensors.push_back(std::move(buffer));
  load_parameters(SafetensorsFile(path), tensors);
}

/// Adam's moments under `prefix`, those that are defined.
void add_optimizer(SafetensorsWriter& file, const std::string& prefix, const Params& params, const Adam& adam);
/// Lets `adam` go on from them after `steps` steps.
void load_optimizer(const SafetensorsFile& file, const std::string& prefix, const Params& params, int64_t steps,
                    Adam& adam);

}  // namespace seminar::inline SEMINAR_PRECISION
