// Models in safetensors files: parameters by path; kind, settings and the data set's fingerprint in the metadata.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "seminar/model/model.h"
#include "tensor/io/safetensors.h"

namespace seminar::inline SEMINAR_PRECISION {

inline constexpr const char* model_format = "seminar-model-1";

using MakeModel = std::unique_ptr<Model> (*)(const ModelSettings&, const Vocabulary&, const Dataset&, const Rng&);

/// A kind of model: how --model and model files name it, what it is in a line, and how it is made.
struct ModelKind {
  const char* name;
  const char* help;
  /// The settings that this kind reads and not all kinds do, separated by blanks. All kinds read those that no kind
  /// names here.
  std::string_view settings;
  MakeModel make;
  MakeModel make_authors = nullptr;  ///< the form of SEMINAR's authors, if they have one

  bool names(std::string_view setting) const;
};
/// All kinds of models.
std::span<const ModelKind> model_kinds();
/// The kinds that read a setting that not all kinds read; none for a setting that all read.
std::vector<const ModelKind*> readers_of(std::string_view setting);
/// The kind of that name; throws Error naming all of them.
const ModelKind& model_kind(const std::string& name);

/// A new model of `kind` for a data set, in the form that the settings name and with the given tokenizer if it needs
/// one (null: trained on the data); throws Error for another kind or a form it does not have.
std::unique_ptr<Model> make_model(const std::string& kind, const ModelSettings& settings, const Dataset& data,
                                  const Rng& rng, std::shared_ptr<const Tokenizer> tokenizer = nullptr);

/// Tensors under this prefix in a model file belong to its training (training_state.h), not to the model.
inline constexpr const char* training_prefix = "training.";

/// What save_model writes, for more to be added. `run` is kept for people to read.
SafetensorsWriter model_file(const Model& model, const Dataset& data, const RunSettings& run);
/// Writes the model atomically.
void save_model(const Model& model, const Dataset& data, const RunSettings& run, const std::string& path);

/// The settings of the run that trained the model at `path`.
RunSettings load_run_settings(const std::string& path);

/// Reads a model; throws Error if the file is damaged, of another format, or made for another data set.
std::unique_ptr<Model> load_model(const std::string& path, const Dataset& data);

}  // namespace seminar::inline SEMINAR_PRECISION
