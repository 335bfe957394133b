// Line charts as SVG, written by hand: readable without colour (every line has a marker of its own and a label).
#pragma once

#include <string>
#include <vector>

namespace seminar {

struct ChartLine {
  std::string name;
  std::vector<double> y;  ///< at the panel's x, in order
};

struct ChartPanel {
  std::string title;
  std::vector<double> x;
  std::vector<ChartLine> lines;
};

/// The panels in rows of three with y from 0 to 1 and one legend; x is spaced evenly. All panels have the same lines.
std::string line_charts(const std::string& title, const std::string& x_label, const std::string& y_label,
                        const std::vector<ChartPanel>& panels);

}  // namespace seminar
