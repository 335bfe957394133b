// What documents speak of: code spans, links, commands; and what there is: files, words of the sources, commands.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace seminar {

/// The parts of a document that name things.
struct References {
  std::vector<std::string> spans;     ///< `code spans` in running text
  std::vector<std::string> links;     ///< targets of links, without #section
  std::vector<std::string> commands;  ///< lines of ```sh blocks, without comments, continued lines joined
  std::vector<std::string> tests;     ///< [*names of test cases or programs*], possibly shortened
};
References references(const std::string& document);

/// Splits at blanks.
std::vector<std::string> words_of(const std::string& text);

/// Files of the repository by path from the root.
const std::vector<std::string>& repository_files();
/// True for a file or folder of the repository; `path` may hold wildcards, and a mere file name may stand anywhere.
bool in_repository(const std::string& path);
/// Whether a path is `pattern`, whose wildcards stop at '/'.
bool fits(const std::string& path, const std::string& pattern);
/// C++ without its comments.
std::string without_comments(const std::string& source);
/// Whether `word` stands in `text` as a whole word.
bool has_word(const std::string& text, const std::string& word);
/// All words of the sources and scripts, comments left out.
const std::set<std::string>& source_words();
/// Names of the test cases of a test file.
std::vector<std::string> test_cases(const std::string& path);

/// A command of the program: its flags, and the commands below it.
struct Command {
  std::set<std::string> flags;
  std::map<std::string, Command> below;
};
/// The program's commands, as their --help tells them.
const Command& program_commands();
/// What is wrong with the words of a command, the program's name left out: an unknown command or flag. Empty if
/// nothing.
std::string complaint(const std::vector<std::string>& words);

}  // namespace seminar
