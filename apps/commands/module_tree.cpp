#include "apps/commands/module_tree.h"

#include <fmt/format.h>

#include <cmath>

namespace seminar {
namespace {

double square_sum(const SafetensorsFile& file, const std::string& name) {
  double square = 0;
  for (const real x : file.tensor(name).to_vector()) square += static_cast<double>(x) * static_cast<double>(x);
  return square;
}

// The part of that name, a new last one if there is none: names come in order, so parts of a module stand together.
ModuleTree& part(ModuleTree& module, const std::string& name) {
  if (module.parts.empty() || module.parts.back().name != name) module.parts.push_back({name, {}, 0, 0, {}});
  return module.parts.back();
}

void add_text(const ModuleTree& module, std::size_t depth, std::string& out) {
  out += fmt::format("{:<40} {:<20} {:>10} {:>12.4f}\n", std::string(2 * depth, ' ') + module.name, module.shape,
                     module.numbers, std::sqrt(module.square));
  for (const ModuleTree& p : module.parts) add_text(p, depth + 1, out);
}

void add_dot(const ModuleTree& module, int64_t parent, int64_t& count, std::string& out) {
  const int64_t own = count++;
  out += fmt::format("  n{} [label=\"{}\\n{}{} numbers, norm {:.4f}\"{}];\n", own, module.name,
                     module.shape.empty() ? "" : module.shape + "\\n", module.numbers, std::sqrt(module.square),
                     module.shape.empty() ? "" : ", shape=box");
  if (parent >= 0) out += fmt::format("  n{} -> n{};\n", parent, own);
  for (const ModuleTree& p : module.parts) add_dot(p, own, count, out);
}

}  // namespace

std::string ModuleTree::text() const {
  std::string out = fmt::format("{:<40} {:<20} {:>10} {:>12}\n", "module", "shape", "numbers", "norm");
  add_text(*this, 0, out);
  return out;
}

std::string ModuleTree::dot() const {
  std::string out = "digraph modules {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n";
  int64_t count = 0;
  add_dot(*this, -1, count, out);
  return out + "}\n";
}

ModuleTree module_tree(const SafetensorsFile& file) {
  const auto kind = file.metadata().find("kind");
  ModuleTree root{kind == file.metadata().end() ? "file" : kind->second, {}, 0, 0, {}};
  for (const auto& [name, entry] : file.entries()) {
    const double square = entry.dtype <= Dtype::i64 ? 0 : square_sum(file, name);
    ModuleTree* module = &root;
    for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      module->numbers += entry.shape.numel();
      module->square += square;
      end = name.find('.', begin);
      module = &part(*module, name.substr(begin, end - begin));
    }
    *module = {module->name, fmt::format("{}", entry.shape), entry.shape.numel(), square, {}};
  }
  return root;
}

}  // namespace seminar
