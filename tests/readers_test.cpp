// Which kinds of model read which settings: what model_file.cpp says of each kind is what its model does.
#include <nlohmann/json.hpp>

#include "tests/model_checks.h"

using namespace seminar;

namespace {

// Everything that a setting may change in one step of training: the loss, the parameters, and which of them learn.
std::vector<double> outcome(const std::string& kind, const Dataset& data, const ModelSettings& settings,
                            const RunSettings& run) {
  const std::unique_ptr<Model> model = small_model(kind, data, settings);
  std::vector<double> all{
      static_cast<double>(model->loss(data, small_batch(data, run), run, {true, 0, Rng(4)}, nullptr).value().item())};
  for (const Params& params : {model->params(), model->frozen()}) {
    all.push_back(static_cast<double>(params.size()));
    for (const NamedParam& p : params) all.push_back(static_cast<double>(p.var.value().numel()));
  }
  all.push_back(static_cast<double>(std::ssize(without_gradient(*model, data))));
  return all;
}

// The settings with one of them changed; false if the struct has none of that name.
template <class S>
bool change(S& settings, const std::string& name, const nlohmann::json& value,
            S (*read)(const std::string&, const std::string&)) {
  nlohmann::json json = nlohmann::json::parse(settings_json(settings));
  if (!json.contains(name)) return false;
  json[name] = value;
  settings = read(json.dump(), "test");
  return true;
}

}  // namespace

TEST_SUITE("readers") {
  TEST_CASE("a kind of model reads the settings that it names and no other kind's") {
    const TinyData tiny;
    const std::pair<const char*, nlohmann::json> others[] = {{"projections", "frozen"},
                                                             {"form", "authors"},
                                                             {"hash-bits", 6},
                                                             {"hash-width", 1},
                                                             {"blocks", 1},
                                                             {"positions", 3},
                                                             {"k1", 4},
                                                             {"search-weight", 0.25},
                                                             {"next-weight", 0.25},
                                                             {"align-weight", 0.25},
                                                             {"relevance-weight", 0.25},
                                                             {"align-loss", "authors"},
                                                             {"relevance-loss", "authors"},
                                                             {"chunks", 1},
                                                             {"position-negatives", 3}};
    for (const ModelKind& kind : model_kinds()) {
      const std::vector<double> before = outcome(kind.name, tiny.data, small_settings(), small_run());
      for (const auto& other : others) {
        const std::string name = other.first;
        CAPTURE(kind.name);
        CAPTURE(name);
        CHECK(!readers_of(name).empty());
        if (name == "form" && !kind.names(name)) continue;  // refused
        ModelSettings settings = small_settings();
        RunSettings run = small_run();
        CHECK(change(settings, name, other.second, model_settings_from_json) !=
              change(run, name, other.second, run_settings_from_json));
        CHECK((outcome(kind.name, tiny.data, settings, run) != before) == kind.names(name));
      }
    }
    CHECK(readers_of("dim").empty());
    CHECK(readers_of("gsu").size() == 1);
  }
}
