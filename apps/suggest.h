// What somebody who mistyped a word may have meant.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace seminar {

/// The names that are so near to `word` that it may be a slip of one, the nearest first; at most three.
std::vector<std::string> near_names(const std::string& word, const std::vector<std::string>& names);
/// ": did you mean 'x'?", or nothing if no name is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& names);

/// Throws Error for a word that should be a command and is none, naming the nearest.
void check_commands(CLI::App& app, const std::vector<std::string>& arguments);
/// Throws Error for the first flag that the command does not have, naming the nearest, or the commands that have it.
void check_flags(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace seminar
