// seminar export
#include <fmt/format.h>

#include <filesystem>

#include "apps/cli.h"
#include "seminar/export.h"
#include "seminar/training/model_file.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct ExportArguments {
  std::string data, model, pq, out;
  std::optional<int64_t> history, k;
  ExportOptions options;
};

void run(ExportArguments& a) {
  const Dataset data = Dataset::open(a.data);
  const std::unique_ptr<Model> model = load_model(a.model, data);
  const SeminarModel* seminar = dynamic_cast<const SeminarModel*>(model.get());
  check(seminar, "{}: a {} model: only seminar models can be exported", a.model, model->kind());
  const RunSettings run = load_run_settings(a.model);
  a.options.history = a.history.value_or(run.history);
  a.options.k = a.k.value_or(std::min(run.k, a.options.history));
  std::optional<QuantizedChannels> codes;
  if (!a.pq.empty()) codes = load_quantized(a.pq, *seminar, data);
  export_model(*seminar, data, codes ? &*codes : nullptr, a.options, a.out);
  print_out("{} items, {} queries{}, {}, {:.1f} MB, written to {}\n", data.items(), data.queries(),
            codes ? " with codes" : "", a.options.dtype, static_cast<double>(std::filesystem::file_size(a.out)) / 1e6,
            a.out);
}

}  // namespace

void add_export_command(CLI::App& app) {
  auto a = std::make_shared<ExportArguments>();
  CLI::App* command =
      app.add_subcommand("export", "Write a SEMINAR model as one file for the runtime, 'seminar rank' and 'serve'");
  add_input(*command, "--data", a->data, "data set folder", "FOLDER")->required();
  add_input(*command, "--model", a->model, "SEMINAR model file")->required();
  add_input(*command, "--pq", a->pq, "codes of 'seminar quantize', to retrieve by them");
  add_option(*command, "--dtype", a->options.dtype, "tables and matrices: f32, bf16, int8");
  add_option(*command, "--history", a->history, "behaviours L that are kept of a user (default: as trained)",
             {1, 1000000});
  add_option(*command, "--k", a->k, "behaviours K that are retrieved (default: as trained)", {1, 1000000});
  add_output(*command, "--out", a->out, "file for the runtime")->required();
  command->callback([a] { run(*a); });
  command->footer("Example:\n  seminar export --data data --model model.safetensors --out ranking.safetensors");
}

}  // namespace seminar
