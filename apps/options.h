// Options of commands. One definition gives the flag, the key of the TOML file, the line of --help, the completion of
// shells and the manual page. Numbers are read by tensor/io/number.h; files are checked before a command runs.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "seminar/settings.h"
#include "tensor/io/number.h"

namespace seminar {

/// What a number may be.
struct Range {
  double low = std::numeric_limits<double>::lowest(), high = std::numeric_limits<double>::max();
};
inline constexpr Range from_0{0};
inline constexpr Range from_1{1};

namespace options {

template <class T>
struct Element {
  using type = T;
};
template <class T>
struct Element<std::optional<T>> {
  using type = T;
};
template <class T>
struct Element<std::vector<T>> {
  using type = T;
};

/// The whole number next to `wanted` from `low` to `high`.
int64_t within(double wanted, int64_t low, int64_t high);

/// One value from its text; throws Error `name: must be …`.
template <class T>
T read(const std::string& text, const std::string& name, Range range) {
  if constexpr (std::is_same_v<T, std::string>) {
    return text;
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(decimal_number(text, name, range.low, range.high));
  } else {
    using Limits = std::numeric_limits<T>;
    constexpr int64_t low = static_cast<int64_t>(Limits::lowest()),
                      high = static_cast<int64_t>(std::min<uint64_t>(Limits::max(), INT64_MAX));
    return static_cast<T>(whole_number(text, name, within(range.low, low, high), within(range.high, low, high)));
  }
}

void note_input(const CLI::Option* option);
/// Remembers what a settings struct says of an option.
void note_setting(CLI::Option* option, const SettingInfo& info, bool of_model);

}  // namespace options

/// An option `--name`, or a positional without dashes, of text or number, std::optional or std::vector of them (lists
/// are separated by commas). --help shows the value that `value` has now.
template <class T>
CLI::Option* add_option(CLI::App& command, const std::string& name, T& value, const std::string& help,
                        Range range = {}) {
  using E = typename options::Element<T>::type;
  constexpr bool is_list = !std::is_same_v<T, E> && requires(T t) { t.push_back(E()); };
  CLI::Option* option = command.add_option(
      name,
      [&value, name, range](const CLI::results_t& texts) {
        if constexpr (is_list) value.clear();
        for (const std::string& text : texts) {
          E one = options::read<E>(text, name, range);
          if constexpr (is_list)
            value.push_back(std::move(one));
          else
            value = std::move(one);
        }
        return true;
      },
      help);
  option->type_name(std::is_same_v<E, std::string> ? "TEXT" : std::is_floating_point_v<E> ? "NUMBER" : "N");
  if constexpr (is_list) {
    option->expected(1, CLI::detail::expected_max_vector_size)->delimiter(',');
    option->allow_extra_args(!name.starts_with('-'));  // a flag takes one argument, so that no file becomes its value
    if (!value.empty()) option->default_str(fmt::format("{}", fmt::join(value, ",")));
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.empty()) option->default_str(value);
  } else if constexpr (std::is_same_v<T, E>) {
    option->default_str(fmt::format("{}", value));
  }
  return option;
}

/// A text that must be one of `choices`.
CLI::Option* add_choice(CLI::App& command, const std::string& name, std::string& value, const std::string& help,
                        const std::vector<std::string>& choices);
/// `--threads N` of a command that computes; takes effect at once.
CLI::Option* add_threads(CLI::App& command);
/// A number of bytes such as 800M.
CLI::Option* add_size(CLI::App& command, const std::string& name, int64_t& bytes, const std::string& help);

/// A file or a folder that the command reads, or with a std::vector several.
template <class T>
CLI::Option* add_input(CLI::App& command, const std::string& name, T& value, const std::string& help,
                       const char* type = "FILE") {
  CLI::Option* option = add_option(command, name, value, help)->type_name(type);
  option->delimiter('\0');  // paths may hold commas
  options::note_input(option);
  return option;
}
/// A file that the command writes. Before the command runs, every output is checked: it can be written, it is none of
/// the inputs, and no other output.
CLI::Option* add_output(CLI::App& command, const std::string& name, std::string& value, const std::string& help);
/// Writes `text` and a line's end to an output that was given; '-' is standard output. True if it was '-'.
bool write_output(const std::string& path, const std::string& text);
/// Throws Error if `output`, the value of the option `name`, is the file `input` or a file in the folder `input`.
void check_not_input(const std::string& name, const std::string& output, const std::string& input);

/// One flag for each setting of a struct that `wanted` chooses.
template <class S>
void add_flags(
    CLI::App& command, S& settings, bool of_model = false,
    const std::function<bool(const SettingInfo&)>& wanted = [](const SettingInfo&) { return true; }) {
  settings.visit([&](const SettingInfo& s, auto& value) {
    if (!wanted(s)) return;
    const std::string name = fmt::format("--{}", s.name);
    CLI::Option* option;
    if constexpr (std::is_same_v<std::remove_reference_t<decltype(value)>, std::string>)
      option = add_choice(command, name, value, s.help, s.choices);
    else
      option = add_option(command, name, value, s.help, {s.low, s.high});
    options::note_setting(option, s, of_model);
  });
}

/// Whether the user gave the option, on the command line or in the TOML file.
bool is_given(const CLI::App& command, const std::string& name);

/// Settings of a model and a run as flags of a command.
class SettingsFlags {
 public:
  ModelSettings model;
  RunSettings run;
  /// All of them and --preset, for commands that train.
  void add_all(CLI::App& command);
  /// Those that evaluation reads.
  void add_evaluation(CLI::App& command);
  /// Checks all values and sets the number of threads. Throws Error for a given setting that none of these kinds of
  /// model reads, naming the kinds that do. Call first in the command's callback.
  void apply(std::initializer_list<std::string_view> kinds);
  void refuse_unread(std::initializer_list<std::string_view> kinds) const;
  /// Whether the user gave a setting.
  bool given(const std::string& name) const { return is_given(*command_, "--" + name); }
  /// Throws Error for a given setting of the model that is not what the model read from `file` has.
  void check_model(ModelSettings read, const std::string& file);

 private:
  CLI::App* command_ = nullptr;
  std::string preset_;
};

/// Hides from --help the settings that none of these kinds reads.
void hide_unread(CLI::App& command, std::initializer_list<std::string_view> kinds);
/// What a command does before its --help or --print-config is shown.
void before_help(CLI::App& command, std::function<void()> prepare);
void prepare_help(const CLI::App& command);

/// Adds to every command what all have: --config, --print-config, the check of the files.
void finish_commands(CLI::App& app);

/// Thrown where --print-config, not the command, was asked for.
struct Printed {};

}  // namespace seminar
