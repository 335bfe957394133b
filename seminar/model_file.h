// Models in safetensors files: parameters by path; kind, settings and the data set's fingerprint in the metadata.
#pragma once

#include "seminar/model.h"
#include "tensor/safetensors.h"

namespace seminar::inline SEMINAR_PRECISION {

inline constexpr const char* model_format = "seminar-model-1";

/// A new model of `kind` ("psu", "seminar", "mean_pool") for a data set, with the given tokenizer if it needs one
/// (null: trained on the data); throws Error for another kind.
std::unique_ptr<Model> make_model(const std::string& kind, const ModelSettings& settings, const Dataset& data,
                                  const Rng& rng, std::shared_ptr<const Tokenizer> tokenizer = nullptr);

/// Tensors under this prefix in a model file belong to its training (training_state.h), not to the model.
inline constexpr const char* training_prefix = "training.";

/// What save_model writes, for more to be added. `run` is kept for people to read.
SafetensorsWriter model_file(const Model& model, const Dataset& data, const RunSettings& run);
/// Writes the model atomically.
void save_model(const Model& model, const Dataset& data, const RunSettings& run, const std::string& path);

/// Reads a model; throws Error if the file is damaged, of another format, or made for another data set.
std::unique_ptr<Model> load_model(const std::string& path, const Dataset& data);

}  // namespace seminar::inline SEMINAR_PRECISION
