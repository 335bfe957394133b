// Numbers in documents that a command counts: a number followed by a comment that says what it counts.
//   194<!-- lines: autograd/engine.cpp -->            lines of files; several files are added, names may hold wildcards
//   160<!-- code lines: autograd/engine.cpp -->       the same without blank lines, comments and test rows
//   826<!-- kB: rank_static -->                       a program of the build; "seminar.wasm" is that of the preset wasm
//   8<!-- files: docs/tour/[0-9]*.md -->              how many files there are
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace seminar {

/// Lines of C++ that are neither blank nor a comment nor part of an op's test row.
int64_t code_lines(const std::string& source);

/// What `kind` counts of `what`; none if it is not there to be counted: a program that this build does not make, or
/// makes without optimisation. Throws Error for an unknown kind and for a file that does not exist.
std::optional<int64_t> counted(const std::string& kind, const std::string& what);

/// The line with every marked number counted anew. A number of lines or kB that is wrong by less than `tolerance`, as a
/// share, stays as it is: documents need not change with every line of the sources, and compilers differ.
std::string with_counts(const std::string& line, double tolerance);

}  // namespace seminar
