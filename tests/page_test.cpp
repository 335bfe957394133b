// The page of a report: what every part of it writes.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "apps/pages/page_texts.h"
#include "apps/pages/report_page.h"

using namespace seminar;

namespace {

// What stands between <main> and </main>.
std::string body(const ReportPage& page) {
  const std::string html = page.html();
  const std::size_t begin = html.find("<main>\n") + 7;
  return html.substr(begin, html.find("</main>") - begin);
}

}  // namespace

TEST_SUITE("report page") {
  TEST_CASE("sections are numbered and listed, in order, and text is escaped") {
    ReportPage page("Runs & <more>");
    page.section("First <");
    page.paragraph("a < b");
    page.section("Second");
    CHECK(body(page) == "<h2 id=\"s1\">First &lt;</h2>\n<p>a &lt; b</p>\n<h2 id=\"s2\">Second</h2>\n");
    const std::string html = page.html();
    CHECK(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    CHECK(html.find("<title>Runs &amp; &lt;more></title>") != std::string::npos);
    CHECK(html.find("<h1>Runs &amp; &lt;more></h1>") != std::string::npos);
    CHECK(html.find("<ul>\n<li><a href=\"#s1\">First &lt;</a></li>\n<li><a href=\"#s2\">Second</a></li>\n</ul>") !=
          std::string::npos);
    CHECK(html.find(fmt::format("<style>{}</style>", page_css)) != std::string::npos);
  }

  TEST_CASE("columns of numbers stand at the right, all others at the left") {
    ReportPage page("t");
    page.table("Cap <", {"name", "n <", "mixed", "gap"},
               {{"a&b", "1.5", "2", ""}, {"3", "−0.1 ± 0.2 [1, 2] %", "x", "7"}});
    CHECK(
        body(page) ==
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>\n<caption>Cap &lt;</caption>\n"
        "<thead><tr><th scope=\"col\">name</th><th scope=\"col\" class=\"n\">n &lt;</th><th scope=\"col\">mixed</th>"
        "<th scope=\"col\" class=\"n\">gap</th></tr></thead>\n<tbody>\n"
        "<tr><td>a&amp;b</td><td class=\"n\">1.5</td><td>2</td><td class=\"n\"></td></tr>\n"
        "<tr><td>3</td><td class=\"n\">−0.1 ± 0.2 [1, 2] %</td><td>x</td><td class=\"n\">7</td></tr>\n"
        "</tbody></table></div>\n");
    ReportPage folded("t");
    folded.folded_table("more <", {"a"}, {});
    CHECK(
        body(folded) ==
        "<details><summary>more &lt;</summary>\n"
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>\n"
        "<thead><tr><th scope=\"col\" class=\"n\">a</th></tr></thead>\n<tbody>\n</tbody></table></div>\n</details>\n");
  }

  TEST_CASE("bars are as long as their share of the largest; charts stand in one region") {
    ReportPage page("t");
    page.bars("Cap", "share", "got", {{"x <", 0.2, 0.5}, {"y", 0.05, 0}});
    const std::string text = body(page);
    CHECK(text.find("<caption>Cap</caption>") != std::string::npos);
    CHECK(text.find("<th scope=\"col\" class=\"n\">share</th><th scope=\"col\" class=\"n\">got</th>") !=
          std::string::npos);
    CHECK(text.find("filled: share, outlined: got</th>") != std::string::npos);
    CHECK(text.ends_with(
        "<tbody>\n"
        "<tr><th scope=\"row\">x &lt;</th><td class=\"n\">20.0 %</td><td class=\"n\">50.0 %</td><td><span "
        "class=\"bar\" "
        "style=\"width:40.0%\"></span><span class=\"bar b\" style=\"width:100.0%\"></span></td></tr>\n"
        "<tr><th scope=\"row\">y</th><td class=\"n\">5.0 %</td><td class=\"n\">0.0 %</td><td><span class=\"bar\" "
        "style=\"width:10.0%\"></span><span class=\"bar b\" style=\"width:0.0%\"></span></td></tr>\n"
        "</tbody></table></div>\n"));
    ReportPage larger("t");
    larger.bars("", "", "", {{"x", 0.8, 0.4}});
    CHECK(body(larger).find("style=\"width:100.0%\"></span><span class=\"bar b\" style=\"width:50.0%\">") !=
          std::string::npos);
    ReportPage empty("t");
    empty.bars("", "", "", {{"x", 0, 0}});
    CHECK(body(empty).find("nan") == std::string::npos);
    ReportPage charts("t");
    charts.charts({"<svg>1</svg>\n", "<svg>2</svg>\n"});
    CHECK(body(charts) ==
          "<div class=\"wide charts\" tabindex=\"0\" role=\"region\" "
          "aria-label=\"Charts\">\n<svg>1</svg>\n<svg>2</svg>\n</div>\n");
    const ChartColours colours = ReportPage::colours();
    CHECK(colours.paper == "var(--paper)");
    CHECK(colours.ink == "var(--ink)");
    CHECK(colours.grid == "var(--grid)");
    REQUIRE(colours.lines.size() == 8);
    CHECK(colours.lines[0] == "var(--c0)");
    CHECK(colours.lines[7] == "var(--c7)");
  }
}
