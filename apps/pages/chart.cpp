#include "apps/pages/chart.h"

#include <fmt/format.h>

#include <algorithm>

namespace seminar {
namespace {

constexpr double panel_width = 300, panel_height = 220, panel_gap = 60, left_margin = 60, top_margin = 60,
                 legend_row = 18;
constexpr std::size_t in_row = 3;

// A marker by number: the letter of the line, so that nothing depends on colour.
std::string marker(std::size_t line, double x, double y, const ChartColours& colours) {
  return fmt::format(
      "<circle cx=\"{0:.1f}\" cy=\"{1:.1f}\" r=\"6\" fill=\"{5}\" stroke=\"{2}\"/><text x=\"{0:.1f}\" y=\"{3:.1f}\" "
      "font-size=\"8\" text-anchor=\"middle\" fill=\"{2}\">{4}</text>\n",
      x, y, colours.lines[line % colours.lines.size()], y + 3, static_cast<char>('a' + line % 26), colours.paper);
}

// In a page the chart does not get so small that its figures cannot be read.
std::string svg_head(double width, double height, const std::string& title, const ChartColours& colours) {
  constexpr double smallest = 0.84;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" style=\"min-width:{6:.0f}px\" "
      "font-family=\"sans-serif\" "
      "fill=\"{4}\" "
      "role=\"img\" aria-label=\"{3}\">\n<rect width=\"100%\" height=\"100%\" fill=\"{5}\"/>\n"
      "<text x=\"{2:.0f}\" y=\"28\" font-size=\"16\">{3}</text>\n",
      width, height, left_margin, xml_escaped(title), colours.ink, colours.paper, smallest * width);
}

}  // namespace

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  return out;
}

std::string line_charts(const std::string& title, const std::string& x_label, const std::string& y_label,
                        const std::vector<ChartPanel>& panels, double high, const ChartColours& colours) {
  const std::size_t rows = (panels.size() + in_row - 1) / in_row, lines = panels.empty() ? 0 : panels[0].lines.size();
  const double chart_height = top_margin + static_cast<double>(rows) * (panel_height + panel_gap),
               width = left_margin + static_cast<double>(std::clamp<std::size_t>(panels.size(), 1, in_row)) *
                                         (panel_width + panel_gap),
               height = chart_height + static_cast<double>(lines) * legend_row + 20;
  std::string svg = svg_head(width, height, title, colours);
  for (std::size_t p = 0; p < panels.size(); ++p) {
    const ChartPanel& panel = panels[p];
    const std::size_t row = p / in_row;
    const double x0 = left_margin + static_cast<double>(p % in_row) * (panel_width + panel_gap),
                 y0 = top_margin + static_cast<double>(row) * (panel_height + panel_gap);
    const auto x_at = [&](std::size_t i) {
      return x0 + 20 +
             (panel_width - 40) * static_cast<double>(i) /
                 static_cast<double>(std::max<std::size_t>(1, panel.x.size() - 1));
    };
    const auto y_at = [&](double v) { return y0 + panel_height * (1 - std::clamp(v / high, 0.0, 1.0)); };
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"12\">{}</text>\n", x0, y0 - 8,
                       xml_escaped(panel.title));
    for (int tick = 0; tick <= 5; ++tick) {
      const double v = high * tick / 5;
      svg += fmt::format(
          "<line x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"{6}\"/><text x=\"{3:.1f}\" "
          "y=\"{4:.1f}\" font-size=\"10\" text-anchor=\"end\">{5:.2g}</text>\n",
          x0, x0 + panel_width, y_at(v), x0 - 4, y_at(v) + 3, v, colours.grid);
    }
    for (std::size_t i = 0; i < panel.x.size(); ++i)
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"10\" text-anchor=\"middle\">{:g}</text>\n",
                         x_at(i), y0 + panel_height + 14, panel.x[i]);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"10\" text-anchor=\"middle\">{}</text>\n",
                       x0 + panel_width / 2, y0 + panel_height + 28, xml_escaped(x_label));
    if (p % in_row == 0)
      svg += fmt::format(
          "<text x=\"{0:.1f}\" y=\"{1:.1f}\" font-size=\"10\" text-anchor=\"middle\" transform=\"rotate(-90 {0:.1f} "
          "{1:.1f})\">{2}</text>\n",
          x0 - 34, y0 + panel_height / 2, xml_escaped(y_label));
    for (std::size_t line = 0; line < panel.lines.size(); ++line) {
      std::string points;
      for (std::size_t i = 0; i < panel.lines[line].y.size(); ++i)
        points += fmt::format("{:.1f},{:.1f} ", x_at(i), y_at(panel.lines[line].y[i]));
      svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n", points,
                         colours.lines[line % colours.lines.size()]);
      for (std::size_t i = 0; i < panel.lines[line].y.size(); ++i)
        svg += marker(line, x_at(i), y_at(panel.lines[line].y[i]), colours);
    }
  }
  for (std::size_t line = 0; line < lines; ++line) {
    const double y = chart_height + static_cast<double>(line) * legend_row;
    svg += marker(line, left_margin + 6, y, colours);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"12\">{}</text>\n", left_margin + 20, y + 4,
                       xml_escaped(panels[0].lines[line].name));
  }
  return svg + "</svg>\n";
}

std::string interval_charts(const std::string& title, const std::string& x_label,
                            const std::vector<IntervalPanel>& panels, const ChartColours& colours) {
  constexpr double names = 220, chart = 460, row_height = 22;
  double most = 1e-9, height = top_margin;
  for (const IntervalPanel& panel : panels) {
    height += row_height * static_cast<double>(panel.rows.size() + 2) + panel_gap / 2;
    for (const ChartInterval& r : panel.rows) most = std::max({most, r.mean, r.high});
  }
  std::string svg = svg_head(names + chart + 80, height, title, colours);
  const auto x_at = [&](double v) { return names + chart * std::max(0.0, v) / most; };
  double y = top_margin;
  for (const IntervalPanel& panel : panels) {
    svg += fmt::format("<text x=\"10\" y=\"{:.1f}\" font-size=\"13\">{}</text>\n", y, xml_escaped(panel.title));
    for (const ChartInterval& r : panel.rows) {
      y += row_height;
      svg += fmt::format(
          "<text x=\"{0:.1f}\" y=\"{1:.1f}\" font-size=\"12\" text-anchor=\"end\">{2}</text><line x1=\"{3:.1f}\" "
          "x2=\"{4:.1f}\" y1=\"{5:.1f}\" y2=\"{5:.1f}\" stroke=\"{6}\" stroke-width=\"2\"/><circle cx=\"{7:.1f}\" "
          "cy=\"{5:.1f}\" r=\"4\" fill=\"{6}\"/><text x=\"{8:.1f}\" y=\"{1:.1f}\" font-size=\"11\">{9:.4f}</text>\n",
          names - 10, y + 4, xml_escaped(r.name), x_at(r.low), x_at(r.high), y, colours.lines[0], x_at(r.mean),
          x_at(r.high) + 8, r.mean);
    }
    y += row_height;
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"11\">{}, from 0</text>\n", names, y + 4,
                       xml_escaped(x_label));
    y += row_height + panel_gap / 2;
  }
  return svg + "</svg>\n";
}

}  // namespace seminar
