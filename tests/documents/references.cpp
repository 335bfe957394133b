#include "tests/documents/references.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>

#include "tests/documents/quotes.h"

namespace seminar {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> folders{"apps", "autograd", "docs", "nn", "pq", "seminar", "tensor", "tests"};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

void all_matches(const std::string& text, const std::regex& pattern, std::vector<std::string>& out) {
  for (std::sregex_iterator m(text.begin(), text.end(), pattern), end; m != end; ++m) out.push_back((*m)[1].str());
}

void add_words(const std::string& text, std::set<std::string>& words) {
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end > i) words.insert(text.substr(i, end - i));
    i = end + 1;
  }
}

// One command's --help: flags by "  --name" or "-h,--help", commands below by the section "Subcommands:".
Command ask(const std::string& path) {
  Command command;
  static const std::regex flag("(--[a-z0-9-]+)");
  std::istringstream help(program_output(fmt::format("seminar{} --help-all", path)));
  bool names_commands = false;
  std::vector<std::string> flags;
  for (std::string line; std::getline(help, line);) {
    if (!line.starts_with(' ')) names_commands = line == "Subcommands:";
    const std::size_t text = line.find_first_not_of(' ');
    if (text != 2) continue;
    const std::string name = line.substr(2, line.find(' ', 2) - 2);
    if (names_commands) {
      command.below[name] = ask(fmt::format("{} {}", path, name));
    } else {
      all_matches(name, flag, flags);
    }
  }
  command.flags.insert(flags.begin(), flags.end());
  return command;
}

}  // namespace

References references(const std::string& document) {
  static const std::regex span("`([^`]+)`"), link("\\]\\(([^)#:]+)[^)]*\\)"), test("\\[\\*([^*]+)\\*");
  References found;
  std::istringstream stream(document);
  std::string block, paragraph, command;
  const auto finish = [&] {
    all_matches(paragraph, span, found.spans);
    all_matches(paragraph, link, found.links);
    all_matches(paragraph, test, found.tests);
    paragraph.clear();
  };
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("```")) {
      finish();
      block = block.empty() ? line : "";
    } else if (block == "```sh") {
      const std::size_t comment = line.find(" #");
      command += line.substr(0, comment);
      if (command.ends_with('\\')) {
        command.back() = ' ';
      } else {
        found.commands.push_back(command);
        command.clear();
      }
    } else if (block.empty() && !line.starts_with("<!--")) {
      if (line.empty() || line.starts_with("|")) finish();
      paragraph += line.substr(std::min(line.find_first_not_of(' '), line.size())) + " ";
    }
  }
  finish();
  return found;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

const std::vector<std::string>& repository_files() {
  static const std::vector<std::string> files = [] {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(SEMINAR_SOURCE_DIR))
      if (entry.is_regular_file()) all.push_back(entry.path().filename().string());
    for (const std::string& folder : folders)
      for (const auto& entry : fs::recursive_directory_iterator(fs::path(SEMINAR_SOURCE_DIR) / folder))
        all.push_back(fs::relative(entry.path(), SEMINAR_SOURCE_DIR).string());
    std::sort(all.begin(), all.end());
    return all;
  }();
  return files;
}

bool fits(const std::string& path, const std::string& pattern) {
  return ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

bool in_repository(const std::string& path) {
  const std::string pattern = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  const bool anywhere = pattern.find('/') == std::string::npos;
  return std::find(folders.begin(), folders.end(), pattern) != folders.end() ||
         std::any_of(repository_files().begin(), repository_files().end(), [&](const std::string& file) {
           return fits(anywhere ? file.substr(file.rfind('/') + 1) : file, pattern);
         });
}

std::string without_comments(const std::string& source) {
  std::string out;
  std::istringstream stream(source);
  for (std::string line; std::getline(stream, line);) out += line.substr(0, line.find("//")) + "\n";
  return out;
}

bool has_word(const std::string& text, const std::string& word) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    if ((at == 0 || !is_word(text[at - 1])) && (at + word.size() == text.size() || !is_word(text[at + word.size()])))
      return true;
  return false;
}

const std::set<std::string>& source_words() {
  static const std::set<std::string> words = [] {
    std::set<std::string> all;
    for (const std::string& path : repository_files()) {
      const std::string extension = fs::path(path).extension();
      if (extension == ".cpp" || extension == ".h") add_words(without_comments(repository_file(path)), all);
      if (extension == ".sh" || extension == ".py" || extension == ".txt" || extension == ".json")
        if (!path.starts_with("apps/demo/") && !path.starts_with("tests/fuzz/corpus"))
          add_words(repository_file(path), all);
    }
    return all;
  }();
  return words;
}

std::vector<std::string> test_cases(const std::string& path) {
  static const std::regex declared("(?:TEST_CASE|SUBCASE)\\(\\s*\"((?:[^\"\\\\]|\\\\.)*)\"");
  std::vector<std::string> names;
  all_matches(repository_file(path), declared, names);
  return names;
}

const Command& program_commands() {
  static const Command root = ask("");
  return root;
}

std::string complaint(const std::vector<std::string>& words) {
  const Command* command = &program_commands();
  std::size_t at = 0;
  for (; at < words.size() && !command->below.empty() && !words[at].starts_with("--"); ++at) {
    const auto next = command->below.find(words[at]);
    if (next == command->below.end()) return fmt::format("no command '{}'", words[at]);
    command = &next->second;
  }
  for (; at < words.size(); ++at) {
    const std::string flag = words[at].substr(0, words[at].find('='));
    if (flag.starts_with("--") && !command->flags.count(flag)) return fmt::format("no flag '{}'", flag);
  }
  return "";
}

}  // namespace seminar
