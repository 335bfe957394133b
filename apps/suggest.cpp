#include "apps/suggest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "apps/config_file.h"
#include "tensor/io/text.h"

namespace seminar {
namespace {

// The edits that make one word the other: a letter more, less or another, two neighbours exchanged (optimal string
// alignment).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  std::iota(d[0].begin(), d[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

// Whether all words of one are among those of the other: "learning-rate-decay" and "rate".
bool shares_word(const std::string& a, const std::string& b) {
  const auto words = [](const std::string& name) { return CLI::detail::split(name, '-'); };
  const std::vector<std::string> first = words(a), second = words(b);
  return std::any_of(first.begin(), first.end(), [&](const std::string& word) {
    return word.size() > 3 && std::find(second.begin(), second.end(), word) != second.end();
  });
}

std::vector<std::string> names_of(const std::vector<CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return names;
}

}  // namespace

std::vector<std::string> near_names(const std::string& word, const std::vector<std::string>& names) {
  constexpr std::size_t longest = 40, most = 3;
  if (word.size() > longest) return {};
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& name : names) {
    const std::size_t edits = distance(word, name),
                      allowed = std::max<std::size_t>(1, std::min(word.size(), name.size()) / 3);
    const bool begins = word.size() >= 2 && (name.starts_with(word) || word.starts_with(name));
    if (edits <= allowed || begins || shares_word(word, name))
      near.emplace_back(edits <= allowed ? edits : 100 + edits, name);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> found;
  for (const auto& [edits, name] : near)
    if (found.size() < most && (found.empty() || edits <= near[0].first + 1)) found.push_back(name);
  return found;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& names) {
  const std::vector<std::string> near = near_names(word, names);
  return near.empty() ? "" : fmt::format(": did you mean '{}'?", fmt::join(near, "' or '"));
}

void check_commands(CLI::App& app, const std::vector<std::string>& arguments) {
  const auto [command, words] = command_of(app, arguments);
  const std::vector<CLI::App*> below = command->get_subcommands([](CLI::App*) { return true; });
  if (below.empty() || (words < arguments.size() && arguments[words].starts_with('-'))) return;
  const std::string above = command == &app ? "" : full_name(*command) + ": ";
  const std::vector<std::string> names = names_of(below);
  if (words == arguments.size()) fail("{}a subcommand is required: {}", above, fmt::join(names, ", "));
  const std::string near = did_you_mean(arguments[words], names);
  if (!near.empty()) fail("{}unknown subcommand: {}{}", above, shown(arguments[words]), near);
  fail("{}unknown subcommand: {}: there are {}", above, shown(arguments[words]), fmt::join(names, ", "));
}

void check_flags(CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App* command = command_of(app, arguments).first;
  for (const std::string& argument : arguments) {
    if (argument == "--") return;
    if (!argument.starts_with("--")) continue;
    const std::string flag = argument.substr(0, argument.find('='));
    if (command->get_option_no_throw(flag)) continue;
    std::vector<std::string> names, owners;
    for (const CLI::Option* option : command->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back(name);
    each_command(app, [&](CLI::App& other) {
      if (other.get_option_no_throw(flag)) owners.push_back(full_name(other));
    });
    const std::string name = full_name(*command), near = did_you_mean(flag.substr(2), names);
    constexpr std::size_t few = 4;
    if (!owners.empty())
      fail("{}: no flag {}: it belongs to {}{}", name, flag,
           fmt::join(owners.begin(), owners.begin() + static_cast<std::ptrdiff_t>(std::min(few, owners.size())), ", "),
           owners.size() > few ? " and others" : "");
    fail("{}: unknown flag: {}{} (see seminar {} --help)", name, shown(flag), near, command == &app ? "" : name);
  }
}

}  // namespace seminar
