#include "apps/pages/report_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/pages/page_texts.h"

namespace seminar {
namespace {

// Figures, as against words: they stand at the right.
bool is_number(const std::string& cell) {
  return !cell.empty() && cell.find_first_not_of("0123456789.,+-−–±[] %") == std::string::npos;
}

}  // namespace

ChartColours ReportPage::colours() {
  ChartColours c{"var(--paper)", "var(--ink)", "var(--grid)", {}};
  for (int i = 0; i < 8; ++i) c.lines.push_back(fmt::format("var(--c{})", i));
  return c;
}

void ReportPage::section(const std::string& heading) {
  ++sections_;
  contents_ += fmt::format("<li><a href=\"#s{}\">{}</a></li>\n", sections_, xml_escaped(heading));
  body_ += fmt::format("<h2 id=\"s{}\">{}</h2>\n", sections_, xml_escaped(heading));
}

void ReportPage::paragraph(const std::string& text) { body_ += fmt::format("<p>{}</p>\n", xml_escaped(text)); }

void ReportPage::charts(const std::vector<std::string>& svgs) {
  body_ += "<div class=\"wide charts\" tabindex=\"0\" role=\"region\" aria-label=\"Charts\">\n";
  for (const std::string& svg : svgs) body_ += svg;
  body_ += "</div>\n";
}

void ReportPage::table(const std::string& caption, const std::vector<std::string>& head,
                       const std::vector<std::vector<std::string>>& rows) {
  std::vector<const char*> kind;  // of the columns
  for (std::size_t c = 0; c < head.size(); ++c)
    kind.push_back(
        std::all_of(rows.begin(), rows.end(), [&](const auto& row) { return row[c].empty() || is_number(row[c]); })
            ? " class=\"n\""
            : "");
  body_ += "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>\n";
  if (!caption.empty()) body_ += fmt::format("<caption>{}</caption>\n", xml_escaped(caption));
  body_ += "<thead><tr>";
  for (std::size_t c = 0; c < head.size(); ++c)
    body_ += fmt::format("<th scope=\"col\"{}>{}</th>", kind[c], xml_escaped(head[c]));
  body_ += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows) {
    body_ += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) body_ += fmt::format("<td{}>{}</td>", kind[c], xml_escaped(row[c]));
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
}

void ReportPage::folded_table(const std::string& summary, const std::vector<std::string>& head,
                              const std::vector<std::vector<std::string>>& rows) {
  body_ += fmt::format("<details><summary>{}</summary>\n", xml_escaped(summary));
  table("", head, rows);
  body_ += "</details>\n";
}

void ReportPage::bars(const std::string& caption, const std::string& first, const std::string& second,
                      const std::vector<Bar>& bars) {
  double most = 1e-9;
  for (const Bar& b : bars) most = std::max({most, b.share, b.attended});
  body_ += fmt::format(
      "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Shares\"><table "
      "class=\"bars\"><caption>{}</caption>\n<thead><tr><th "
      "scope=\"col\"></th>"
      "<th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" "
      "style=\"width:50%\">filled: {}, "
      "outlined: {}</th></tr></thead>\n<tbody>\n",
      xml_escaped(caption), xml_escaped(first), xml_escaped(second), xml_escaped(first), xml_escaped(second));
  for (const Bar& b : bars)
    body_ += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"n\">{:.1f} %</td><td class=\"n\">{:.1f} %</td><td><span "
        "class=\"bar\" "
        "style=\"width:{:.1f}%\"></span><span class=\"bar b\" style=\"width:{:.1f}%\"></span></td></tr>\n",
        xml_escaped(b.name), 100 * b.share, 100 * b.attended, 100 * b.share / most, 100 * b.attended / most);
  body_ += "</tbody></table></div>\n";
}

std::string ReportPage::html() const {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n<title>{0}</title>\n"
      "<style>{1}</style></head>\n<body>\n<h1>{0}</h1>\n<nav "
      "aria-label=\"Contents\"><ul>\n{2}</ul></nav>\n<main>\n{3}</main>\n"
      "</body></html>\n",
      xml_escaped(title_), page_css, contents_, body_);
}

}  // namespace seminar
