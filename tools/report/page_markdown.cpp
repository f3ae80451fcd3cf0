#include <fmt/format.h>

#include <cctype>
#include <string_view>

#include "tools/report/page.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

/// What Markdown would take for markup, escaped; "p < 0.05" is none.
std::string escaped(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i], next = i + 1 < text.size() ? text[i + 1] : ' ';
    const bool tag = c == '<' && (std::isalpha(static_cast<unsigned char>(next)) || next == '/' ||
                                  next == '!' || next == '?');
    if (tag) {
      result += "&lt;";
    } else if (c == '\n' || c == '\r') {
      result += ' ';
    } else {
      if (c == '*' || c == '`' || c == '[' || c == '\\') result += '\\';
      result += c;
    }
  }
  return result;
}

struct MarkdownWriter {
  std::string text;

  void operator()(const Heading& heading) {
    text += fmt::format("## {}\n\n", escaped(heading.text));
  }
  void operator()(const Paragraph& paragraph) { text += escaped(paragraph.text) + "\n\n"; }
  void operator()(const List& list) {
    for (const std::string& item : list.items) text += fmt::format("- {}\n", escaped(item));
    text += "\n";
  }
  void operator()(const Statement& statement) {
    text +=
        fmt::format("**{}: {}.**", capitalised(escaped(statement.label)), escaped(statement.claim));
    if (statement.reasons.size() == 1) {
      text += " " + escaped(statement.reasons.front()) + "\n\n";
    } else {
      text += "\n\n";
      (*this)(List{statement.reasons});
    }
  }
  void operator()(const TableBlock& block) {
    text += block.table.render(Format::md) + "\n";
    if (!block.caption.empty()) text += escaped(block.caption) + "\n\n";
  }
  void operator()(const PictureBlock& picture) {
    text += fmt::format("![{}]({})\n\n{}\n\n", escaped(picture.title), picture.file,
                        escaped(picture.caption));
  }
};

}  // namespace

std::string to_markdown(const Page& page) {
  MarkdownWriter writer{fmt::format("# {}\n\n", escaped(page.title))};
  if (!page.lead.empty()) writer(Paragraph{page.lead});
  for (const Block& block : page.blocks) std::visit(writer, block);
  while (writer.text.ends_with("\n\n")) writer.text.pop_back();
  return writer.text;
}

}  // namespace edgeprune
