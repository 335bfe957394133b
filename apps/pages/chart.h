// Line charts as SVG, written by hand: readable without colour (every line has a marker of its own and a label).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace seminar {

/// Text as XML and HTML hold it, in elements and in attributes.
std::string xml_escaped(std::string_view text);

/// Colours of a chart, as SVG takes them: of print, unless a page has its own.
struct ChartColours {
  std::string paper = "#fff", ink = "#222", grid = "#ddd";
  std::vector<std::string> lines{"#1b6ca8", "#c8553d", "#2e7d32", "#7b4fa3",
                                 "#a67c00", "#00838f", "#ad1457", "#5d4037"};
};

struct ChartLine {
  std::string name;
  std::vector<double> y;  ///< at the panel's x, in order
};

struct ChartPanel {
  std::string title;
  std::vector<double> x;
  std::vector<ChartLine> lines;
};

/// The panels in rows of three with y from 0 to `high` and one legend; x is spaced evenly. All panels have the same
/// lines.
std::string line_charts(const std::string& title, const std::string& x_label, const std::string& y_label,
                        const std::vector<ChartPanel>& panels, double high = 1, const ChartColours& colours = {});

/// A value with its interval.
struct ChartInterval {
  std::string name;
  double mean, low, high;
};

struct IntervalPanel {
  std::string title;
  std::vector<ChartInterval> rows;
};

/// The panels one below the other, a line a row: a dot at the mean, a bar over the interval; x from 0 to the largest
/// number.
std::string interval_charts(const std::string& title, const std::string& x_label,
                            const std::vector<IntervalPanel>& panels, const ChartColours& colours = {});

}  // namespace seminar
