#include "apps/config_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <functional>
#include <map>

#include "apps/suggest.h"
#include "tensor/error.h"
#include "tensor/io/file.h"
#include "tensor/io/number.h"
#include "tensor/io/print.h"
#include "tensor/io/text.h"

namespace seminar {
namespace {

const std::vector<std::string> table_names{"data", "model", "train", "eval"};
constexpr uint64_t max_file = uint64_t{1} << 24;

std::map<const CLI::Option*, std::string>& tables() {
  static std::map<const CLI::Option*, std::string> all;
  return all;
}

std::map<const CLI::Option*, std::vector<std::string>>& all_choices() {
  static std::map<const CLI::Option*, std::vector<std::string>> all;
  return all;
}

// Where the values came from: "file:line" by flag.
std::map<std::string, std::string>& origins() {
  static std::map<std::string, std::string> all;
  return all;
}

// Where a command's own options go, those that are no settings.
std::string table_of(const CLI::Option& option, const CLI::App& command) {
  if (const auto noted = tables().find(&option); noted != tables().end()) return noted->second;
  if (option.get_single_name() == "data") return "data";
  const std::string name = command.get_name();
  return name == "train" || name == "pretrain" || name == "demo" ? "train" : name == "eval" ? "eval" : "";
}

bool is_flag(const CLI::Option& option) { return option.get_expected_max() == 0; }
bool is_number(const CLI::Option& option) {
  return option.get_type_name() == "N" || option.get_type_name() == "NUMBER";
}
bool is_list(const CLI::Option& option) { return option.get_items_expected_max() > 1; }

// What a file may set: flags with a long name, but not those that are about the command line itself.
bool is_setting(const CLI::Option& option) {
  const std::string name = option.get_single_name();
  return option.get_name().starts_with("--") && name != "help" && name != "help-all" && name != "config" &&
         name != "print-config" && name != "version";
}

const CLI::Option* find_setting(const CLI::App& command, const std::string& key) {
  const CLI::Option* option = command.get_option_no_throw("--" + key);
  return option && is_setting(*option) ? option : nullptr;
}

toml::table parse_toml(const std::string& path) {
  try {
    return toml::parse(read_file(path, max_file));
  } catch (const toml::parse_error& e) {
    std::string what(e.description());  // may quote a line's end
    std::replace_if(
        what.begin(), what.end(), [](unsigned char c) { return c < 0x20; }, ' ');
    fail("{}:{}: not valid TOML: {}", path, e.source().begin.line, what);
  }
}

// Reads one file into arguments for one command.
class ConfigReader {
 public:
  ConfigReader(CLI::App& app, const CLI::App& command, std::string path, const std::vector<std::string>& given)
      : app_(app), command_(command), path_(std::move(path)), given_(given) {}

  std::vector<std::string> arguments() {
    const toml::table top = parse_toml(path_);
    for (const auto& [key, node] : top) {
      const std::string name(key.str());
      const toml::table* table = node.as_table();
      if (!table) {
        read(name, "", node);
        continue;
      }
      check(std::find(table_names.begin(), table_names.end(), name) != table_names.end(),
            "{}: unknown table: {}{}: there are [{}]", place(node), shown(name), did_you_mean(name, table_names),
            fmt::join(table_names, "], ["));
      for (const auto& [inner, value] : *table) read(std::string(inner.str()), name, value);
    }
    return arguments_;
  }

 private:
  std::string place(const toml::node& node) const { return fmt::format("{}:{}", path_, node.source().begin.line); }

  void read(const std::string& written, const std::string& table, const toml::node& node) {
    std::string key = written;
    std::replace(key.begin(), key.end(), '_', '-');
    const CLI::Option* option = find_setting(command_, key);
    if (!table.empty() && (!option || table_of(*option, command_) != table) && others_have(key, table)) return;
    if (!option) fail_unknown(written, key, node);
    const auto [first, fresh] = seen_.insert({key, place(node)});
    check(fresh, "{}: '{}' is given twice, here and at {}", place(node), written, first->second);
    const std::string flag = "--" + key;
    for (const std::string& argument : given_)
      if (argument == flag || argument.starts_with(flag + "=") || argument == "--no-" + key) return;
    origins()[flag] = place(node);
    add(flag, *option, written, node);
  }

  // Whether another command has that key in that table.
  bool others_have(const std::string& key, const std::string& table) const {
    bool found = false;
    each_command(app_, [&](CLI::App& other) {
      const CLI::Option* option = &other == &command_ ? nullptr : find_setting(other, key);
      found |= option && table_of(*option, other) == table;
    });
    return found;
  }

  [[noreturn]] void fail_unknown(const std::string& written, const std::string& key, const toml::node& node) const {
    std::vector<std::string> names, owners;
    for (const CLI::Option* option : command_.get_options())
      if (is_setting(*option)) names.push_back(option->get_single_name());
    each_command(app_, [&](CLI::App& other) {
      if (find_setting(other, key)) owners.push_back(full_name(other));
    });
    if (!owners.empty())
      fail("{}: unknown setting: {}: {} has no such flag, only {}", place(node), shown(written), full_name(command_),
           fmt::join(owners, ", "));
    fail("{}: unknown setting: {}{}", place(node), shown(written), did_you_mean(key, names));
  }

  void add(const std::string& flag, const CLI::Option& option, const std::string& written, const toml::node& node) {
    if (is_flag(option)) {
      const auto value = node.value_exact<bool>();
      check(value.has_value(), "{}: '{}': wrong type: must be true or false", place(node), written);
      arguments_.push_back(fmt::format("{}={}", flag, *value));
      return;
    }
    const toml::array* array = node.as_array();
    if (!array) {
      arguments_.push_back(fmt::format("{}={}", flag, text_of(option, written, node)));
      return;
    }
    check(is_list(option), "{}: '{}': wrong type: must be one value", place(node), written);
    for (const toml::node& item : *array)
      arguments_.push_back(fmt::format("{}={}", flag, text_of(option, written, item)));
  }

  std::string text_of(const CLI::Option& option, const std::string& written, const toml::node& node) const {
    if (const auto* text = node.as_string()) {
      check(!is_number(option), "{}: '{}': wrong type: must be a number: {}", place(node), written, shown(**text));
      return **text;
    }
    if (const auto* whole = node.as_integer()) {
      const bool decimal = (whole->flags() & (toml::value_flags::format_as_binary | toml::value_flags::format_as_octal |
                                              toml::value_flags::format_as_hexadecimal)) == toml::value_flags::none;
      check(decimal, "{}: '{}': must be a decimal number", place(node), written);
      return fmt::format("{}", **whole);
    }
    if (const auto* number = node.as_floating_point()) return fmt::format("{}", **number);
    fail("{}: '{}': wrong type: must be {}", place(node), written, is_number(option) ? "a number" : "a text");
  }

  CLI::App& app_;
  const CLI::App& command_;
  std::string path_;
  const std::vector<std::string>& given_;
  std::vector<std::string> arguments_;
  std::map<std::string, std::string> seen_;
};

std::string toml_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + '"';
}

// A value as TOML; numbers in a form that TOML takes.
std::string toml_value(const CLI::Option& option, const std::string& text) {
  if (option.get_type_name() == "N") return fmt::format("{}", whole_number(text, option.get_name()));
  if (option.get_type_name() == "NUMBER") return fmt::format("{}", decimal_number(text, option.get_name()));
  return toml_text(text);
}

std::string toml_line(const CLI::Option& option) {
  const std::string name = option.get_single_name();
  const std::string description = option.get_description(), help = description.substr(0, description.find('\n'));
  if (is_flag(option)) {
    if (option.count() == 0) return fmt::format("# {} = true  # {}\n", name, help);
    return fmt::format("{} = {}  # {}\n", name, option.as<bool>(), help);
  }
  // Nothing, or words about the default such as "as trained".
  const bool has_default =
      !option.get_default_str().empty() && !(is_number(option) && option.get_default_str().starts_with("as "));
  if (option.count() == 0 && !has_default) return fmt::format("# {} =  # {}\n", name, help);
  if (!is_list(option)) {
    const std::string text = option.count() > 0 ? option.results().back() : option.get_default_str();
    return fmt::format("{} = {}  # {}\n", name, toml_value(option, text), help);
  }
  std::vector<std::string> values;
  for (const std::string& text :
       option.count() > 0 ? option.reduced_results() : CLI::detail::split(option.get_default_str(), ','))
    values.push_back(toml_value(option, text));
  return fmt::format("{} = [{}]  # {}\n", name, fmt::join(values, ", "), help);
}

}  // namespace

void note_table(const CLI::Option* option, const std::string& table) { tables()[option] = table; }
void note_choices(const CLI::Option* option, const std::vector<std::string>& choices) {
  all_choices()[option] = choices;
}
const std::vector<std::string>& choices_of(const CLI::Option* option) { return all_choices()[option]; }

std::pair<CLI::App*, std::size_t> command_of(CLI::App& app, const std::vector<std::string>& arguments) {
  CLI::App* command = &app;
  std::size_t words = 0;
  for (; words < arguments.size(); ++words) {
    const std::vector<CLI::App*> below =
        command->get_subcommands([&](CLI::App* sub) { return sub->get_name() == arguments[words]; });
    if (below.empty()) break;
    command = below[0];
  }
  return {command, words};
}

void each_command(CLI::App& app, const std::function<void(CLI::App&)>& f) {
  const std::vector<CLI::App*> below = app.get_subcommands([](CLI::App*) { return true; });
  for (CLI::App* command : below) each_command(*command, f);
  if (below.empty()) f(app);
}

std::string full_name(const CLI::App& command) {
  const CLI::App* above = command.get_parent();
  return above && above->get_parent() ? full_name(*above) + " " + command.get_name() : command.get_name();
}

std::vector<std::string> with_config(CLI::App& app, std::vector<std::string> arguments) {
  CLI::App* command = command_of(app, arguments).first;
  const std::string flag = "--config";
  std::string path;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i] == flag && i + 1 < arguments.size()) path = arguments[i + 1];
    if (arguments[i].starts_with(flag + "=")) path = arguments[i].substr(flag.size() + 1);
  }
  if (path.empty() || !command->get_option_no_throw(flag)) return arguments;
  const std::vector<std::string> more = ConfigReader(app, *command, path, arguments).arguments();
  arguments.insert(std::find(arguments.begin(), arguments.end(), "--"), more.begin(), more.end());
  return arguments;
}

std::string with_origin(const std::string& message) {
  const std::string flag = message.substr(0, message.find_first_of(": "));
  const auto origin = origins().find(flag);
  return origin == origins().end() ? message : fmt::format("{}: {}", origin->second, message);
}

void print_config(const CLI::App& command) {
  std::map<std::string, std::string> lines;
  for (const CLI::Option* option : command.get_options())
    if (is_setting(*option) && !option->get_group().empty()) lines[table_of(*option, command)] += toml_line(*option);
  print_out("# seminar {} --config FILE\n{}", full_name(command), lines[""]);
  for (const std::string& table : table_names)
    if (!lines[table].empty()) print_out("\n[{}]\n{}", table, lines[table]);
}

}  // namespace seminar
