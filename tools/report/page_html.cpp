#include <fmt/format.h>

#include "tools/cli/text.h"
#include "tools/report/html.h"
#include "tools/report/page.h"

namespace edgeprune {
namespace {

/// Appends blocks to a page; headings and pictures are numbered for their ids.
class HtmlWriter {
 public:
  void operator()(const Heading& heading) {
    ++headings_;
    const std::string text = html_escaped(heading.text);
    body_ += fmt::format("<h2 id=\"s{}\">{}</h2>\n", headings_, text);
    contents_ += fmt::format("<a href=\"#s{}\">{}</a>\n", headings_, text);
  }

  void operator()(const Paragraph& paragraph) {
    body_ += fmt::format("<p>{}</p>\n", html_escaped(paragraph.text));
  }

  void operator()(const List& list) {
    body_ += "<ul>\n";
    for (const std::string& item : list.items) {
      body_ += fmt::format("<li>{}</li>\n", html_escaped(item));
    }
    body_ += "</ul>\n";
  }

  void operator()(const Statement& statement) {
    const char* tone = statement.tone == Tone::good  ? "good"
                       : statement.tone == Tone::bad ? "bad"
                                                     : "neutral";
    body_ += fmt::format(
        "<div class=\"verdict {}\"><span class=\"label\">{}</span><strong>{}</strong>"
        "\n",
        tone, html_escaped(statement.label), html_escaped(statement.claim));
    if (statement.reasons.size() == 1) {
      (*this)(Paragraph{statement.reasons.front()});
    } else {
      (*this)(List{statement.reasons});
    }
    body_ += "</div>\n";
  }

  /// On narrow screens a row of a wide table becomes a card, where each value stands below its
  /// column's name.
  void operator()(const TableBlock& block) {
    constexpr size_t kNarrow = 4;  // columns, which fit on any screen
    const auto& columns = block.table.columns();
    const bool cards = columns.size() > kNarrow;
    body_ += fmt::format("<div class=\"scroll\" tabindex=\"0\"><table{}>\n<thead><tr>",
                         cards ? " class=\"cards\"" : "");
    for (const Column& column : columns) {
      body_ += fmt::format("<th{}>{}</th>", classes(column, true), html_escaped(column.name));
    }
    body_ += "</tr></thead>\n<tbody>\n";
    for (const auto& row : block.table.rows()) {
      body_ += "<tr>";
      for (size_t c = 0; c < columns.size(); ++c) {
        // Remarks may break, so that they push no number out of sight; the rows' names do not.
        const std::string text = cell_text(row[c]);
        const bool remark = c > 0 && text_columns(text) > 24;
        const std::string label =
            cards ? fmt::format(" data-column=\"{}\"", html_escaped(columns[c].name)) : "";
        body_ += fmt::format("<td{}{}>{}</td>",
                             remark ? " class=\"left remark\"" : classes(columns[c], false), label,
                             html_escaped(text));
      }
      body_ += "</tr>\n";
    }
    body_ += "</tbody></table></div>\n";
    if (!block.caption.empty()) {
      body_ += fmt::format("<p class=\"note\">{}</p>\n", html_escaped(block.caption));
    }
  }

  void operator()(const PictureBlock& picture) {
    ++pictures_;
    body_ += fmt::format(
        "<figure><div class=\"scroll\" tabindex=\"0\">{}</div><figcaption>{}</figcaption>"
        "</figure>\n",
        inline_svg(picture.svg, fmt::format("p{}-", pictures_), picture.title),
        html_escaped(picture.caption));
  }

  std::string page(const Page& page) const {
    const std::string title = html_escaped(page.title);
    std::string text = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n"
        "<header><div class=\"column\"><h1>{}</h1>\n<p>{}</p></div></header>\n",
        title, kPageStyle, title, html_escaped(page.lead));
    if (!contents_.empty()) {
      text += fmt::format("<nav><div class=\"column\">\n{}</div></nav>\n", contents_);
    }
    return text + fmt::format(
                      "<main class=\"column\">\n{}</main>\n<footer class=\"column\">Written by "
                      "edgeprune report.</footer>\n<script>{}</script>\n</body>\n</html>\n",
                      body_, kPageScript);
  }

 private:
  /// Long headings over numbers may break, so that the columns stay narrow.
  static std::string classes(const Column& column, bool heading) {
    const bool left = column.align == Align::left;
    const bool wrap = heading && text_columns(column.name) > 9;
    if (!left && !wrap) return {};
    return fmt::format(" class=\"{}{}{}\"", left ? "left" : "", left && wrap ? " " : "",
                       wrap ? "wrap" : "");
  }

  std::string body_, contents_;
  int headings_ = 0, pictures_ = 0;
};

}  // namespace

std::string to_html(const Page& page) {
  HtmlWriter writer;
  for (const Block& block : page.blocks) std::visit(writer, block);
  return writer.page(page);
}

}  // namespace edgeprune
