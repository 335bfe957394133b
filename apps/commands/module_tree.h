// The tensors of a safetensors file as the tree of modules that their dotted names tell, like "esu.attention.wq".
#pragma once

#include <string>
#include <vector>

#include "tensor/io/safetensors.h"

namespace seminar {

/// A module, or one tensor if it has a shape.
struct ModuleTree {
  std::string name;
  std::string shape;
  int64_t numbers = 0;  ///< of all tensors below
  double square = 0;    ///< sum of their squares
  bool read = false;    ///< whether the type of any of them is read, so that there is a norm
  std::vector<ModuleTree> parts;

  /// A line each: name, shape, how many numbers, their norm √Σx².
  std::string text() const;
  /// The same in Graphviz's language.
  std::string dot() const;
};

/// The tree of a file, its root named by the file's kind of model.
ModuleTree module_tree(const SafetensorsFile& file);

}  // namespace seminar
