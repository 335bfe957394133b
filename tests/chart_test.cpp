// Charts against coordinates by hand.
#include "apps/pages/chart.h"

#include <doctest/doctest.h>

using namespace seminar;

namespace {

int times(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

void check_once(const std::string& svg, const std::string& part) {
  CAPTURE(part);
  CHECK(times(svg, part) == 1);
}

}  // namespace

TEST_SUITE("charts") {
  TEST_CASE("text is escaped for elements and attributes") {
    CHECK(xml_escaped("a<b & \"c\">") == "a&lt;b &amp; &quot;c&quot;>");
  }

  TEST_CASE("lines: four panels of 300 x 220 in rows of three, 60 apart, with one legend") {
    std::vector<ChartPanel> panels;
    for (const char* title : {"P0", "P1", "P2", "P3"})
      panels.push_back({title, {1, 2, 4}, {{"first", {0, 1, 2}}, {"second <", {3, 0.5, -1}}}});
    panels[3].lines[0].y = {1, 1};  // shorter than x
    const std::string svg = line_charts("A & B", "length", "recall", panels, 2);
    CHECK(svg.starts_with("<svg "));
    CHECK(svg.ends_with("</svg>\n"));
    // 60 + 3 · 360 wide; 60 + 2 · 280 and two rows of 18 and 20 high.
    check_once(svg, "viewBox=\"0 0 1140 676\" style=\"min-width:958px\"");
    check_once(svg, "aria-label=\"A &amp; B\"");
    check_once(svg, "<text x=\"60\" y=\"28\" font-size=\"16\">A &amp; B</text>");
    check_once(svg, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
    check_once(svg, "<text x=\"60.0\" y=\"52.0\" font-size=\"12\">P0</text>");
    check_once(svg, "<text x=\"780.0\" y=\"52.0\" font-size=\"12\">P2</text>");
    check_once(svg, "<text x=\"60.0\" y=\"332.0\" font-size=\"12\">P3</text>");
    // x from 20 within the panel to 20 before its end; y from 280, which is 0, up to 60, which is 2.
    check_once(svg, "<polyline points=\"80.0,280.0 210.0,170.0 340.0,60.0 \" fill=\"none\" stroke=\"#1b6ca8\"");
    check_once(svg, "<polyline points=\"80.0,60.0 210.0,225.0 340.0,280.0 \" fill=\"none\" stroke=\"#c8553d\"");
    check_once(svg, "<polyline points=\"440.0,280.0 570.0,170.0 700.0,60.0 \"");
    check_once(svg, "<polyline points=\"80.0,450.0 210.0,450.0 \"");
    check_once(
        svg,
        "<circle cx=\"210.0\" cy=\"170.0\" r=\"6\" fill=\"#fff\" stroke=\"#1b6ca8\"/><text x=\"210.0\" y=\"173.0\" "
        "font-size=\"8\" text-anchor=\"middle\" fill=\"#1b6ca8\">a</text>");
    check_once(
        svg,
        "<circle cx=\"210.0\" cy=\"225.0\" r=\"6\" fill=\"#fff\" stroke=\"#c8553d\"/><text x=\"210.0\" y=\"228.0\" "
        "font-size=\"8\" text-anchor=\"middle\" fill=\"#c8553d\">b</text>");
    CHECK(times(svg, "<polyline ") == 8);
    CHECK(times(svg, "<circle ") == 4 * 6 - 1 + 2);
    // Six ticks a panel.
    CHECK(times(svg, "stroke=\"#ddd\"") == 24);
    const double heights[] = {280, 236, 192, 148, 104, 60};
    const char* values[] = {"0", "0.4", "0.8", "1.2", "1.6", "2"};
    for (int tick = 0; tick < 6; ++tick) {
      const auto number = [](double v) { return std::to_string(static_cast<int>(v)) + ".0"; };
      check_once(svg, "<line x1=\"60.0\" x2=\"360.0\" y1=\"" + number(heights[tick]) + "\" y2=\"" +
                          number(heights[tick]) + "\" stroke=\"#ddd\"/><text x=\"56.0\" y=\"" +
                          number(heights[tick] + 3) + "\" font-size=\"10\" text-anchor=\"end\">" + values[tick] +
                          "</text>");
    }
    check_once(svg, "<text x=\"210.0\" y=\"294.0\" font-size=\"10\" text-anchor=\"middle\">2</text>");
    check_once(svg, "<text x=\"340.0\" y=\"294.0\" font-size=\"10\" text-anchor=\"middle\">4</text>");
    check_once(svg, "<text x=\"210.0\" y=\"308.0\" font-size=\"10\" text-anchor=\"middle\">length</text>");
    check_once(svg, "transform=\"rotate(-90 26.0 170.0)\">recall</text>");
    check_once(svg, "transform=\"rotate(-90 26.0 450.0)\">recall</text>");
    CHECK(times(svg, "recall") == 2);
    check_once(svg, "<circle cx=\"66.0\" cy=\"620.0\"");
    check_once(svg, "<text x=\"80.0\" y=\"624.0\" font-size=\"12\">first</text>");
    check_once(svg, "<circle cx=\"66.0\" cy=\"638.0\"");
    check_once(svg, "<text x=\"80.0\" y=\"642.0\" font-size=\"12\">second &lt;</text>");
  }

  TEST_CASE("lines: no panel, one point, more lines than colours") {
    check_once(line_charts("none", "x", "y", {}), "viewBox=\"0 0 420 80\"");
    ChartPanel one{"one", {5}, {}};
    for (int i = 0; i < 27; ++i) one.lines.push_back({"line", {1}});
    const std::string svg = line_charts("t", "x", "y", {one});
    CHECK(svg.find("nan") == std::string::npos);
    check_once(svg, "viewBox=\"0 0 420 846\"");                         // 60 + 280 + 27 · 18 + 20
    CHECK(times(svg, "<polyline points=\"80.0,60.0 \"") == 27);         // 1 is the top unless told otherwise
    CHECK(times(svg, "stroke=\"#1b6ca8\" stroke-width=\"1.5\"") == 4);  // lines 0, 8, 16, 24
    CHECK(times(svg, ">a</text>") == 4);  // lines 0 and 26, at the point and in the legend
    CHECK(times(svg, ">z</text>") == 2);
  }

  TEST_CASE("intervals: a bar from low to high, a dot at the mean, from 0 to the largest number") {
    const std::vector<IntervalPanel> panels{{"A", {{"x & y", 0.2, 0.1, 0.4}, {"z", 0.05, -0.1, 0.1}}},
                                            {"B", {{"w", 0.3, 0.3, 0.3}}}};
    const std::string svg = interval_charts("gains", "gain", panels, {.ink = "black"});
    check_once(svg, "viewBox=\"0 0 760 274\"");  // 60 + 22 · 4 + 30 + 22 · 3 + 30 high
    check_once(svg, "fill=\"black\"");
    check_once(svg, "<text x=\"10\" y=\"60.0\" font-size=\"13\">A</text>");
    // 0 is at 220, 0.4 at 680.
    check_once(svg,
               "<text x=\"210.0\" y=\"86.0\" font-size=\"12\" text-anchor=\"end\">x &amp; y</text><line x1=\"335.0\" "
               "x2=\"680.0\" y1=\"82.0\" y2=\"82.0\" stroke=\"#1b6ca8\" stroke-width=\"2\"/><circle cx=\"450.0\" "
               "cy=\"82.0\" r=\"4\" fill=\"#1b6ca8\"/><text x=\"688.0\" y=\"86.0\" font-size=\"11\">0.2000</text>");
    check_once(svg, ">z</text><line x1=\"220.0\" x2=\"335.0\" y1=\"104.0\" y2=\"104.0\"");
    check_once(svg, "<circle cx=\"277.5\" cy=\"104.0\"");
    check_once(svg, "<text x=\"220.0\" y=\"130.0\" font-size=\"11\">gain, from 0</text>");
    check_once(svg, "<text x=\"10\" y=\"178.0\" font-size=\"13\">B</text>");
    check_once(svg, ">w</text><line x1=\"565.0\" x2=\"565.0\" y1=\"200.0\" y2=\"200.0\"");
    check_once(svg, "<text x=\"220.0\" y=\"226.0\" font-size=\"11\">gain, from 0</text>");
    const std::string zero = interval_charts("t", "x", {{"A", {{"r", 0, 0, 0}}}});
    check_once(zero, "<circle cx=\"220.0\" cy=\"82.0\"");
    CHECK(zero.find("nan") == std::string::npos);
    // The largest mean counts as well where the interval ends below it.
    check_once(interval_charts("t", "x", {{"A", {{"r", 2, 0, 1}}}}), "<line x1=\"220.0\" x2=\"450.0\"");
  }
}
