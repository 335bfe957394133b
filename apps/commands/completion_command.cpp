// seminar completion, seminar man: both are made from the definitions of the commands.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "apps/cli.h"
#include "apps/config_file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

using Commands = std::vector<CLI::App*>;

Commands below(CLI::App& command) {
  return command.get_subcommands([](CLI::App*) { return true; });
}

// Calls f(command) for the program and every command, those above first.
void each(CLI::App& command, const std::function<void(CLI::App&)>& f) {
  f(command);
  for (CLI::App* sub : below(command)) each(*sub, f);
}

std::string path_of(const CLI::App& command) {
  return command.get_parent() ? "seminar " + full_name(command) : "seminar";
}

std::vector<std::string> names_below(CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* sub : below(command)) names.push_back(sub->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  return flags;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// Text in single quotes of a shell; fish and zsh read it alike.
std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The words of a command line up to the cursor name a command; its flags and commands are offered, after a flag with
// choices these, and files everywhere else. zsh runs the same function by bashcompinit.
std::string bash_script(CLI::App& app) {
  std::string commands, choices;
  each(app, [&](CLI::App& command) {
    commands += fmt::format(
        "    {}) words={} ;;\n", shell_quoted(path_of(command)),
        shell_quoted(fmt::format("{} {}", fmt::join(names_below(command), " "), fmt::join(flags_of(command), " "))));
    for (const CLI::Option* option : command.get_options())
      if (!choices_of(option).empty())
        choices += fmt::format("    {}) COMPREPLY=($(compgen -W {} -- \"$current\")); return ;;\n",
                               shell_quoted(path_of(command) + " --" + option->get_single_name()),
                               shell_quoted(fmt::format("{}", fmt::join(choices_of(option), " "))));
  });
  std::string known;
  each(app, [&](CLI::App& command) { known += fmt::format("|{}", shell_quoted(path_of(command))); });
  return fmt::format(R"(_seminar() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" path=seminar words= i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$path ${{COMP_WORDS[i]}}" in
    {}) path="$path ${{COMP_WORDS[i]}}" ;;
    *) break ;;
    esac
  done
  case "$path $before" in
{}  esac
  case "$path" in
{}  esac
  if [[ $current == -* || $COMP_CWORD -eq $i ]]; then COMPREPLY=($(compgen -W "$words" -- "$current")); fi
  if [[ ${{#COMPREPLY[@]}} -eq 0 ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
}}
complete -o filenames -F _seminar seminar
)",
                     known.substr(1), choices, commands);
}

std::string fish_script(CLI::App& app) {
  std::string out;
  each(app, [&](CLI::App& command) {
    const std::vector<std::string> own = names_below(command);
    std::string when = command.get_parent() ? "" : "__fish_use_subcommand";
    for (const CLI::App* c = &command; c->get_parent(); c = c->get_parent())
      when = fmt::format("__fish_seen_subcommand_from {}{}{}", c->get_name(), when.empty() ? "" : "; and ", when);
    const std::string none_below =
        own.empty() || !command.get_parent()
            ? when
            : fmt::format("{}; and not __fish_seen_subcommand_from {}", when, fmt::join(own, " "));
    for (const CLI::App* sub : below(command))
      out += fmt::format("complete -c seminar -f -n {} -a {} -d {}\n", shell_quoted(none_below), sub->get_name(),
                         shell_quoted(sub->get_description()));
    for (const CLI::Option* option : command.get_options())
      for (const std::string& name : option->get_lnames()) {
        const std::string takes =
            option->get_expected_max() == 0 ? ""
            : choices_of(option).empty()
                ? " -r"
                : fmt::format(" -x -a {}", shell_quoted(fmt::format("{}", fmt::join(choices_of(option), " "))));
        out += fmt::format("complete -c seminar -n {} -l {}{} -d {}\n", shell_quoted(none_below), name, takes,
                           shell_quoted(first_line(option->get_description())));
      }
  });
  return out;
}

// Text for roff: no line starts a request, and backslashes and dashes stay what they are.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n'))
      out += std::string("\\&") + c;
    else
      out += c;
  }
  return out;
}

std::string man_option(const CLI::Option& option) {
  const std::string names = option.get_positional() ? option.get_name(true) : option.get_name(false, true);
  std::string line = fmt::format(".TP\n\\fB{}\\fR", roff(names));
  if (option.get_expected_max() != 0) line += fmt::format(" \\fI{}\\fR", roff(option.get_type_name()));
  if (!option.get_default_str().empty()) line += roff(fmt::format(" (default {})", option.get_default_str()));
  if (option.get_required()) line += " (required)";
  std::string help = option.get_description();
  for (std::size_t at = 0; (at = help.find('\n', at)) != std::string::npos; at += 5) help.replace(at, 1, "\n.br\n");
  std::string text;
  for (const std::string& part : CLI::detail::split(help, '\n')) text += (part == ".br" ? part : roff(part)) + "\n";
  return line + "\n" + text;
}

std::string man_page(CLI::App& app) {
  std::string out = fmt::format(".TH SEMINAR 1 \"\" \"seminar {}\"\n.SH NAME\nseminar \\- {}\n", SEMINAR_VERSION,
                                roff(app.get_description().substr(app.get_description().find(' ') + 1)));
  out +=
      ".SH SYNOPSIS\n.B seminar\n.I COMMAND\n[flags]\n.SH EXIT STATUS\n0: done. 1: a mistake of the program. 2: a "
      "mistake "
      "of the user or a bad file, told in one line. 130, 143: interrupted.\n.SH COMMANDS\n";
  each_command(app, [&](CLI::App& command) {
    out += fmt::format(".SS {}\n{}\n", roff(path_of(command)), roff(command.get_description()));
    for (const CLI::Option* option : command.get_options())
      if (option->get_single_name() != "help" && option->get_single_name() != "help-all") out += man_option(*option);
    if (!command.get_footer().empty()) {
      out += ".PP\n.nf\n";
      for (const std::string& line : CLI::detail::split(command.get_footer(), '\n')) out += roff(line) + "\n";
      out += ".fi\n";
    }
  });
  return out;
}

}  // namespace

void add_completion_commands(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* completion = app.add_subcommand("completion", "Print a shell's completion of this program");
  add_choice(*completion, "SHELL", *shell, "the shell", {"bash", "zsh", "fish"})->required();
  completion->callback([shell, &app] {
    if (*shell == "fish") {
      print_out("{}", fish_script(app));
      return;
    }
    print_out("{}{}", *shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "", bash_script(app));
  });
  completion->footer(
      "Examples:\n"
      "  seminar completion bash > ~/.local/share/bash-completion/completions/seminar\n"
      "  seminar completion fish > ~/.config/fish/completions/seminar.fish");
  CLI::App* man = app.add_subcommand("man", "Print the manual page, for 'man -l'");
  man->callback([&app] { print_out("{}", man_page(app)); });
  man->footer("Example:\n  seminar man > seminar.1 && man -l seminar.1");
}

}  // namespace seminar
