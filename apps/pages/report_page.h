// A page of text, tables and charts as one HTML file: no scripts, nothing loaded; light and dark, wide and narrow,
// print.
#pragma once

#include <string>
#include <vector>

#include "apps/pages/chart.h"

namespace seminar {

class ReportPage {
 public:
  explicit ReportPage(std::string title) : title_(std::move(title)) {}
  /// A heading, which the page's table of contents lists.
  void section(const std::string& heading);
  void paragraph(const std::string& text);
  /// Cells that are numbers stand at the right.
  void table(const std::string& caption, const std::vector<std::string>& head,
             const std::vector<std::vector<std::string>>& rows);
  /// The same, folded away until it is opened.
  void folded_table(const std::string& summary, const std::vector<std::string>& head,
                    const std::vector<std::vector<std::string>>& rows);
  /// SVGs made with colours(), side by side as far as there is room.
  void charts(const std::vector<std::string>& svgs);
  /// A value from 0 to 1 as a bar beside its name, once or twice, for shares.
  struct Bar {
    std::string name;
    double share, attended;
  };
  void bars(const std::string& caption, const std::string& first, const std::string& second,
            const std::vector<Bar>& bars);
  std::string html() const;

  /// The page's colours, which follow light and dark.
  static ChartColours colours();

 private:
  std::string title_, contents_, body_;
  int sections_ = 0;
};

}  // namespace seminar
