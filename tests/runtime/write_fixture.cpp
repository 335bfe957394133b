// Writes DIR/model.safetensors, DIR/requests.txt and a wide model, DIR/wide.safetensors, for replay.cpp and replay.mjs.
//   write_fixture DIR
#include <cstdio>
#include <filesystem>

#include "seminar/export.h"
#include "seminar/retrieval/batch_retriever.h"
#include "tests/runtime/random_model.h"

using namespace seminar;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string dir = argv[1];
  std::filesystem::create_directories(dir);
  constexpr int64_t history = 12, k = 4;
  const TinyData tiny;
  ModelSettings settings = small_settings("gate");
  settings.dim = 16;
  const auto model = random_model(settings, tiny.data, 3);
  QuantizeOptions options;
  options.sub_quantizers = 4;
  options.centroids = 8;
  const auto codes = std::make_shared<QuantizedChannels>(quantize_model(*model, tiny.data, options));
  export_model(*model, tiny.data, codes.get(), {"f32", history, k}, dir + "/model.safetensors");
  std::string text;
  Rng rng(5);
  for (const int by_codes : {0, 1}) {
    if (by_codes) model->set_retriever(pq_batch_retriever(codes));
    for (int i = 0; i < 100; ++i) {
      const RankRequest r = random_request(*model, tiny.data, history, k, rng);
      text += fmt::format("{} {} {} {} {} {} {} {}\n", by_codes, k, r.history.size() / 2, fmt::join(r.history, " "),
                          r.candidates.size() / 2, fmt::join(r.candidates, " "), fmt::join(r.scores, " "),
                          fmt::join(r.retrieved, " "));
    }
  }
  write_file(dir + "/requests.txt", text);

  ModelSettings wide = small_settings("lambda", "bag");
  wide.dim = 1024;
  wide.heads = 1;
  export_model(*random_model(wide, tiny.data, 3), tiny.data, nullptr, {"int8", history, k}, dir + "/wide.safetensors");
}
