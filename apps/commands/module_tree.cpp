#include "apps/commands/module_tree.h"

#include <fmt/format.h>

#include <cmath>

namespace seminar {
namespace {

// The shape, and the type unless it is the usual one.
std::string shape_text(const SafetensorsFile::Entry& entry) {
  return entry.dtype == Dtype::f32 ? fmt::format("{}", entry.shape)
                                   : fmt::format("{} {}", entry.shape, name_of(entry.dtype));
}

std::string norm(const ModuleTree& module) {
  return module.read ? fmt::format("{:.4f}", std::sqrt(module.square)) : "-";
}

// Text between the quotes of Graphviz's language.
std::string graphviz_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// The part of that name, a new last one if there is none: names come in order, so parts of a module stand together.
ModuleTree& part(ModuleTree& module, const std::string& name) {
  if (module.parts.empty() || module.parts.back().name != name) module.parts.push_back({name, {}, 0, 0, false, {}});
  return module.parts.back();
}

void add_text(const ModuleTree& module, std::size_t depth, std::string& out) {
  out += fmt::format("{:<40} {:<20} {:>10} {:>12}\n", std::string(2 * depth, ' ') + module.name, module.shape,
                     module.numbers, norm(module));
  for (const ModuleTree& p : module.parts) add_text(p, depth + 1, out);
}

void add_dot(const ModuleTree& module, int64_t parent, int64_t& count, std::string& out) {
  const int64_t own = count++;
  out += fmt::format("  n{} [label=\"{}\\n{}{} numbers, norm {}\"{}];\n", own, graphviz_text(module.name),
                     module.shape.empty() ? "" : module.shape + "\\n", module.numbers, norm(module),
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
  ModuleTree root{kind == file.metadata().end() ? "file" : kind->second, {}, 0, 0, false, {}};
  for (const auto& [name, entry] : file.entries()) {
    const std::optional<double> square = file.square_sum(name);
    ModuleTree* module = &root;
    for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      module->numbers += entry.shape.numel();
      module->square += square.value_or(0);
      module->read |= square.has_value();
      end = name.find('.', begin);
      module = &part(*module, name.substr(begin, end - begin));
    }
    *module = {module->name, shape_text(entry), entry.shape.numel(), square.value_or(0), square.has_value(), {}};
  }
  return root;
}

}  // namespace seminar
