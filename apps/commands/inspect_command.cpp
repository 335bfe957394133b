// seminar inspect
#include <fmt/format.h>

#include "apps/cli.h"
#include "apps/commands/module_tree.h"
#include "autograd/debug.h"
#include "seminar/training/model_file.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"
#include "tensor/io/text.h"

namespace seminar {
namespace {

// The autograd graph of one small training step of the model.
void draw_graph(const std::string& model_path, const std::string& data_path, const std::string& out) {
  const Dataset data = Dataset::open(data_path);
  const std::unique_ptr<Model> model = load_model(model_path, data);
  const EpochTargets epoch(data, 1, 2, 10, Rng(1));
  check(epoch.size() > 0, "{}: no user has a training target: every history is shorter than 4 actions", data_path);
  const RunSettings run;
  const Batch batch = make_batch(data, epoch(0), {10, 1, 0}, Rng(1));
  write_file(out, graph_dot(model->loss(data, batch, run, Mode(), nullptr)));
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  struct Arguments {
    std::string path, graph, data;
    bool dot = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "inspect", "Print what a safetensors file holds: metadata, the tree of its modules with shapes and norms");
  add_input(*command, "file", a->path, "a .safetensors file")->required();
  command->add_flag("--dot", a->dot, "print the tree as Graphviz instead");
  CLI::Option* data = add_input(*command, "--data", a->data, "data set folder, for --graph", "FOLDER");
  add_output(*command, "--graph", a->graph,
             "write the autograd graph of one small step of the model as Graphviz to FILE")
      ->needs(data);
  command->footer("Example:\n  seminar inspect model.safetensors");
  command->callback([a] {
    if (!a->graph.empty()) {
      draw_graph(a->path, a->data, a->graph);
    }
    const SafetensorsFile file(a->path);
    const ModuleTree tree = module_tree(file);
    if (a->dot) {
      print_out("{}", tree.dot());
      return;
    }
    for (const auto& [key, value] : file.metadata())
      print_out("{}: {}\n", key, printable(value) ? value : shown(value));
    print_out("{}{} tensors, {} numbers\n", tree.text(), file.entries().size(), tree.numbers);
  });
}

}  // namespace seminar
