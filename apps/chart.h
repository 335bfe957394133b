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

/// The panels in rows of three with y from 0 to `high` and one legend; x is spaced evenly. All panels have the same
/// lines.
std::string line_charts(const std::string& title, const std::string& x_label, const std::string& y_label,
                        const std::vector<ChartPanel>& panels, double high = 1);

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
                            const std::vector<IntervalPanel>& panels);

}  // namespace seminar
