// seminar inspect
#include <fmt/format.h>

#include <cmath>

#include "apps/cli.h"
#include "autograd/debug.h"
#include "seminar/model_file.h"
#include "tensor/file.h"

namespace seminar {
namespace {

// The autograd graph of one small training step of the model.
void draw_graph(const std::string& model_path, const std::string& data_path, const std::string& out) {
  const Dataset data = Dataset::open(data_path);
  const std::unique_ptr<Model> model = load_model(model_path, data);
  const EpochTargets epoch(data, 1, 2, 10, Rng(1));
  check(epoch.size() > 0, "{}: no user has a training target: every history is shorter than 4 actions", data_path);
  const RunSettings run;
  const Batch batch = make_batch(data, epoch(0), {10, 1, 0, false, false}, Rng(1));
  write_file(out, graph_dot(model->loss(data, batch, run, Mode(), nullptr)));
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  struct Arguments {
    std::string path, graph, data;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command =
      app.add_subcommand("inspect", "Print what a safetensors file holds: metadata, tensors, shapes, norms");
  command->add_option("file", a->path, "a .safetensors file")->required();
  CLI::Option* data = command->add_option("--data", a->data, "data set folder, for --graph");
  command
      ->add_option("--graph", a->graph, "write the autograd graph of one small step of the model as Graphviz to FILE")
      ->needs(data);
  command->callback([a] {
    if (!a->graph.empty()) {
      check_writable(a->graph);
      draw_graph(a->path, a->data, a->graph);
    }
    const SafetensorsFile file(a->path);
    for (const auto& [key, value] : file.metadata()) fmt::print("{}: {}\n", key, value);
    int64_t total = 0;
    for (const auto& [name, entry] : file.entries()) {
      total += entry.shape.numel();
      const bool numbers = entry.dtype == Dtype::f32 || entry.dtype == Dtype::f64;
      double square = 0;
      if (numbers)
        for (real x : file.tensor(name).to_vector()) square += static_cast<double>(x) * static_cast<double>(x);
      fmt::print("{:<40} {:<20} {}\n", name, fmt::format("{}", entry.shape),
                 numbers ? fmt::format("norm {:.4f}", std::sqrt(square)) : "integers");
    }
    fmt::print("{} tensors, {} numbers\n", file.entries().size(), total);
  });
}

}  // namespace seminar
