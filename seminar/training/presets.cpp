#include "seminar/training/presets.h"

#include "tensor/error.h"

namespace seminar {
namespace {

constexpr Preset all_presets[] = {{"kuaisar", 1000, 200, 5}, {"amazon", 100, 50, 1}, {"alipay", 2000, 200, 1}};

}  // namespace

ModelSettings Preset::model() const {
  ModelSettings s;
  s.dim = 64;
  s.heads = 4;
  s.lambda = 0.5;
  s.history_mean = "off";
  s.side = "all";
  return s;
}

RunSettings Preset::run() const {
  RunSettings s;
  s.history = history;
  s.k = k;
  s.k1 = 2 * k;
  s.batch = 256;
  s.lr = 0.001;
  s.epochs = pretrain_epochs;
  return s;
}

std::span<const Preset> presets() { return all_presets; }

const Preset& preset_named(const std::string& name) {
  std::string names;
  for (const Preset& p : all_presets) {
    if (name == p.name) return p;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", p.name);
  }
  fail("--preset: must be one of {}: '{}'", names, name);
}

}  // namespace seminar
