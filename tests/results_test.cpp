// docs/results.md against the program: the smallest study runs again, its lines must say what the document says.
#include <cmath>
#include <sstream>
#include <vector>

#include "tests/program.h"

using namespace seminar;

namespace {

// Figures move this far between instruction sets, which sum in other orders; on one machine they are equal.
constexpr double tolerance = 0.03;

// The block of output that stands behind the one of `command` in the document.
std::string quoted_output(const std::string& document, const std::string& command) {
  const std::string text = read_file(std::string(SEMINAR_SOURCE_DIR) + "/" + document), fence = "```text\n";
  const std::size_t at = text.find(command);
  REQUIRE_MESSAGE(at != std::string::npos, document << " does not quote '" << command << "'");
  const std::size_t begin = text.find(fence, at) + fence.size();
  return text.substr(begin, text.find("```", begin) - begin);
}

// What a line of planted effects says.
struct Line {
  std::string effect, planted, found;
  double contrast;
};

std::vector<Line> lines_of(const std::string& output, const std::string& effect) {
  std::vector<Line> lines;
  std::istringstream in(output);
  for (std::string text; std::getline(in, text);) {
    std::istringstream words(text);
    Line line;
    std::string low, high;
    if (words >> line.effect >> line.planted >> line.contrast >> low >> high >> line.found && line.effect == effect)
      lines.push_back(line);
  }
  return lines;
}

}  // namespace

TEST_SUITE("results") {
  TEST_CASE("the smallest study finds again what docs/results.md says") {
    const std::string command = "study planted --effect queries --quick --seeds 1";
    const std::vector<Line> said = lines_of(quoted_output("docs/results.md", command), "queries");
    const TemporaryFolder folder;
    const Output o = run(fmt::format("{} --out {}", command, folder / "study"));
    CAPTURE(o.err);
    REQUIRE(o.code == 0);
    const std::vector<Line> found = lines_of(o.out, "queries");
    REQUIRE(said.size() == 2);
    REQUIRE(found.size() == 2);
    for (std::size_t i = 0; i < said.size(); ++i) {
      CHECK(found[i].planted == said[i].planted);
      CHECK(found[i].found == said[i].found);
      CHECK(std::abs(found[i].contrast - said[i].contrast) < tolerance);
    }
  }
}
