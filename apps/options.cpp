#include "apps/options.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "apps/commands/world.h"
#include "apps/config_file.h"
#include "seminar/training/model_file.h"
#include "seminar/training/presets.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"
#include "tensor/io/text.h"
#include "tensor/parallel.h"

namespace seminar {
namespace {

namespace fs = std::filesystem;

constexpr const char* standard_stream = "-";

enum class Role { input, output };

std::map<const CLI::Option*, Role>& roles() {
  static std::map<const CLI::Option*, Role> all;
  return all;
}

std::map<const CLI::App*, std::function<void()>>& preparations() {
  static std::map<const CLI::App*, std::function<void()>> all;
  return all;
}

// Whether one of these kinds reads a setting; options that are no settings count as read.
bool is_read(std::string_view name, std::initializer_list<std::string_view> kinds) {
  const std::vector<const ModelKind*> readers = readers_of(name);
  return readers.empty() || std::any_of(readers.begin(), readers.end(), [&](const ModelKind* kind) {
           return std::find(kinds.begin(), kinds.end(), kind->name) != kinds.end();
         });
}

std::string path_of(const CLI::Option& option) {
  return option.count() > 0 ? option.results().back() : option.get_default_str();
}

// The files that a command writes can be written, are not read by it, and are not written twice.
void check_files(const CLI::App& command) {
  std::vector<const CLI::Option*> inputs, outputs;
  for (const CLI::Option* option : command.get_options()) {
    const auto role = roles().find(option);
    if (role == roles().end()) continue;
    check(option->count() == 0 || !path_of(*option).empty(), "{}: the name of the file is empty", option->get_name());
    if (path_of(*option).empty() || path_of(*option) == standard_stream) continue;
    (role->second == Role::input ? inputs : outputs).push_back(option);
  }
  for (auto out = outputs.begin(); out != outputs.end(); ++out) {
    const std::string name = (*out)->get_name(), path = path_of(**out);
    for (auto other = outputs.begin(); other != out; ++other)
      check(path != path_of(**other) && !same_file(path, path_of(**other)), "{}: {} is what {} writes", name, path,
            (*other)->get_name());
    for (const CLI::Option* input : inputs)
      for (const std::string& in : input->count() > 0 ? input->results() : CLI::results_t{path_of(*input)})
        check_not_input(name, path, in);
    if (leads()) check_writable(path);
  }
}

}  // namespace

int64_t options::within(double wanted, int64_t low, int64_t high) {
  if (wanted <= static_cast<double>(low)) return low;
  if (wanted >= static_cast<double>(high)) return high;
  return static_cast<int64_t>(wanted);
}

void options::note_setting(CLI::Option* option, const SettingInfo& info, bool of_model) {
  switch (info.use) {
    case SettingUse::usual:
      option->group(of_model ? "Model" : "Training");
      break;
    case SettingUse::expert:
      option->group("Expert");
      break;
    case SettingUse::reading:
      option->group("Model");
      break;
    case SettingUse::running:
      option->group("Run");
      break;
    case SettingUse::evaluation:
      option->group("Evaluation");
      break;
  }
  note_table(option, info.use == SettingUse::running               ? ""
                     : info.use == SettingUse::evaluation          ? "eval"
                     : info.use == SettingUse::reading || of_model ? "model"
                                                                   : "train");
}

CLI::Option* add_choice(CLI::App& command, const std::string& name, std::string& value, const std::string& help,
                        const std::vector<std::string>& choices) {
  CLI::Option* option = add_option(command, name, value, fmt::format("{}: {}", help, fmt::join(choices, ", ")));
  const auto check_one = [name, choices](const std::string& text) {
    check(std::find(choices.begin(), choices.end(), text) != choices.end(), "{}: must be one of {}: {}", name,
          fmt::join(choices, ", "), shown(text));
    return std::string();
  };
  option->check(CLI::Validator(check_one, "", "choices"));
  note_choices(option, choices);
  return option;
}

CLI::Option* add_threads(CLI::App& command) {
  constexpr int64_t most = 1024;
  return command
      .add_option(
          "--threads",
          [](const CLI::results_t& texts) {
            if (const int64_t n = whole_number(texts.back(), "--threads", 0, most); n > 0)
              set_threads(static_cast<int>(n));
            return true;
          },
          "threads (0: all cores)")
      ->type_name("N")
      ->default_str("0");
}

CLI::Option* add_size(CLI::App& command, const std::string& name, int64_t& bytes, const std::string& help) {
  return command
      .add_option(
          name,
          [&bytes, name](const CLI::results_t& texts) {
            bytes = byte_count(texts.back(), name);
            return true;
          },
          help)
      ->type_name("SIZE")
      ->default_str(fmt::format("{}", bytes));
}

void options::note_input(const CLI::Option* option) { roles()[option] = Role::input; }

CLI::Option* add_output(CLI::App& command, const std::string& name, std::string& value, const std::string& help) {
  CLI::Option* option = add_option(command, name, value, help)->type_name("FILE");
  roles()[option] = Role::output;
  return option;
}

void check_not_input(const std::string& name, const std::string& output, const std::string& input) {
  std::error_code none;
  check(!same_file(output, input), "{}: {} is read by this command: choose another name", name, output);
  if (!fs::exists(output, none) || !fs::is_directory(input, none)) return;
  for (fs::recursive_directory_iterator at(input, fs::directory_options::skip_permission_denied, none), end; at != end;
       at.increment(none))
    check(!same_file(output, at->path().string()), "{}: {} belongs to {}, which is read: choose another name", name,
          output, input);
}

bool write_output(const std::string& path, const std::string& text) {
  if (path == standard_stream) print_out("{}\n", text);
  if (!path.empty() && path != standard_stream) write_file(path, text + "\n");
  return path == standard_stream;
}

bool is_given(const CLI::App& command, const std::string& name) {
  const CLI::Option* option = command.get_option_no_throw(name);
  return option && option->count() > 0;
}

namespace {

// The settings of a preset in place of the defaults, but for those that were given.
template <class S>
void take_over(S preset, S& settings, const SettingsFlags& flags) {
  preset.visit([&](const SettingInfo& s, auto& value) {
    if (!flags.given(s.name)) return;
    settings.visit([&](const SettingInfo& own, auto& asked) {
      if constexpr (std::is_same_v<decltype(asked), decltype(value)>)
        if (std::string_view(own.name) == s.name) value = asked;
    });
  });
  settings = preset;
}

}  // namespace

void SettingsFlags::add_all(CLI::App& command) {
  command_ = &command;
  std::vector<std::string> names;
  for (const Preset& p : presets()) names.emplace_back(p.name);
  add_choice(command, "--preset", preset_, "the paper's settings for a data set; other flags win", names);
  add_flags(command, model, true);
  add_flags(command, run);
}

void SettingsFlags::add_evaluation(CLI::App& command) {
  command_ = &command;
  add_flags(command, run, false,
            [](const SettingInfo& s) { return s.use != SettingUse::usual && s.use != SettingUse::expert; });
}

void SettingsFlags::refuse_unread(std::initializer_list<std::string_view> kinds) const {
  for (const CLI::Option* option : command_->get_options()) {
    const std::string name = option->get_single_name();
    if (option->count() == 0 || is_read(name, kinds)) continue;
    std::vector<std::string> readers;
    for (const ModelKind* kind : readers_of(name)) readers.push_back(kind->name);
    fail("--{}: {} does not read it: it is a setting of {}", name, fmt::join(kinds, ", "), fmt::join(readers, ", "));
  }
}

void SettingsFlags::apply(std::initializer_list<std::string_view> kinds) {
  refuse_unread(kinds);
  if (!preset_.empty()) {
    take_over(preset_named(preset_).model(), model, *this);
    take_over(preset_named(preset_).run(), run, *this);
  }
  check_settings(model);
  check_settings(run);
  if (run.threads > 0) set_threads(static_cast<int>(run.threads));
}

void SettingsFlags::check_model(ModelSettings read, const std::string& file) {
  std::map<std::string, std::string> held;
  read.visit([&](const SettingInfo& s, const auto& value) { held[s.name] = fmt::format("{}", value); });
  model.visit([&](const SettingInfo& s, const auto& value) {
    if (is_given(*command_, fmt::format("--{}", s.name)) && held[s.name] != fmt::format("{}", value))
      fail("--{} {}: {} was made with {}, and the settings of --init hold: leave the flag out", s.name, value, file,
           held[s.name]);
  });
}

void hide_unread(CLI::App& command, std::initializer_list<std::string_view> kinds) {
  for (CLI::Option* option : command.get_options())
    if (!is_read(option->get_single_name(), kinds)) option->group("");
}

void before_help(CLI::App& command, std::function<void()> prepare) { preparations()[&command] = std::move(prepare); }

void prepare_help(const CLI::App& command) {
  if (const auto found = preparations().find(&command); found != preparations().end()) found->second();
}

void finish_commands(CLI::App& app) {
  const std::vector<CLI::App*> below = app.get_subcommands([](CLI::App*) { return true; });
  for (CLI::App* command : below) finish_commands(*command);
  if (!below.empty()) return;
  const std::string config = "TOML file with any of these flags by name, in tables or not; flags win",
                    print = "print the values of all flags as TOML and do nothing else";
  app.add_option("--config", config)->type_name("FILE");
  app.add_flag("--print-config", print);
  roles()[app.get_option("--config")] = Role::input;
  app.parse_complete_callback([&app] {
    if (is_given(app, "--print-config")) {
      prepare_help(app);
      print_config(app);
      throw Printed{};
    }
    check_files(app);
  });
}

}  // namespace seminar
