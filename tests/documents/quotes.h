// What documents quote: blocks of the sources, and what programs print. A marker stands on the line above a block:
//   <!-- quote: nn/attention.cpp: Var target_scores( -->   the lines from the one that begins so to the one that closes
//   it
//   <!-- output: tour_03_attention -->                     all that build/<preset>/bin/tour_03_attention prints
//   <!-- picture: docs/floors.txt -->                      the rooms of that list (tests/documents/floors.h)
// Numbers are counted as tests/documents/counts.h says.
#pragma once

#include <string>
#include <vector>

namespace seminar {

/// Paths of the documents from the repository's root: README.md, CONTRIBUTING.md and all of docs/, in order.
std::vector<std::string> documents();
/// A file of the repository by its path from the root.
std::string repository_file(const std::string& path);

/// The lines of `source` from the one that begins with `start` (but for indentation) to the one where every bracket
/// that was opened is closed and a statement or block ends; their common indentation is taken away. Throws Error unless
/// exactly one line begins so.
std::string quoted_block(const std::string& source, const std::string& start);

/// What a program of the build prints on standard output; throws Error unless it ends with exit code 0.
std::string program_output(const std::string& command);

/// The document with every marked block made anew, and every marked number that is wrong by more than `tolerance`
/// (with_counts). Throws Error for a marker without a block, or one that names what is not there.
std::string refreshed(const std::string& document, double tolerance);

}  // namespace seminar
