// The paper's settings for its data sets (§4.1).
#pragma once

#include <span>

#include "seminar/settings.h"

namespace seminar {

struct Preset {
  const char* name;    ///< kuaisar, amazon, alipay
  int64_t history, k;  ///< L and K
  int64_t pretrain_epochs;
  /// The settings that the paper states: d = 64, H = 4, λ = 0.5, batch 256, Adam at 0.001, this preset's L and K; the
  /// head reads x_user, x_item, x_u2i and x_context, and no mean of the history. Epochs are those of pretraining.
  ModelSettings model() const;
  RunSettings run() const;
};

std::span<const Preset> presets();
/// Throws Error naming all of them for another name.
const Preset& preset_named(const std::string& name);

}  // namespace seminar
