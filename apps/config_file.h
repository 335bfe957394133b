// Settings in a TOML file: every flag of a command is a key, at the top or in one of the tables [data], [model],
// [train] and [eval]; `-` and `_` are alike. One file can serve several commands.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace seminar {

/// The table that an option is written to by --print-config; "" is the top.
void note_table(const CLI::Option* option, const std::string& table);
/// The words that an option takes, for completion.
void note_choices(const CLI::Option* option, const std::vector<std::string>& choices);
const std::vector<std::string>& choices_of(const CLI::Option* option);

/// The arguments of a command line with those that the TOML file of `--config` adds: the keys that are not given as
/// flags. A key in a table that belongs to another command is left to that command. Throws Error `file:line: …` for a
/// key that no command has, and for a value of the wrong type.
std::vector<std::string> with_config(CLI::App& app, std::vector<std::string> arguments);
/// A message that starts with a flag whose value came from the file, with `file:line: ` in front.
std::string with_origin(const std::string& message);

/// Prints the values of all flags of a command that has been parsed, as TOML with the help as comments.
void print_config(const CLI::App& command);

/// The deepest command that the arguments name, and how many words name it.
std::pair<CLI::App*, std::size_t> command_of(CLI::App& app, const std::vector<std::string>& arguments);
/// Calls f(command) for every command that has none below it.
void each_command(CLI::App& app, const std::function<void(CLI::App&)>& f);
/// The name of a command with those above it, as it is typed: "data import".
std::string full_name(const CLI::App& command);

}  // namespace seminar
