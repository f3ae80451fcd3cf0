#pragma once
// A page of text, tables and pictures: written once, rendered as Markdown and as HTML.

#include <string>
#include <variant>
#include <vector>

#include "tools/cli/table.h"

namespace edgeprune {

struct Heading {
  std::string text;
};
struct Paragraph {
  std::string text;
};
struct List {
  std::vector<std::string> items;
};

enum class Tone { good, bad, neutral };
/// "Confirmed: CLAIM. Reasons."
struct Statement {
  std::string label;
  Tone tone = Tone::neutral;
  std::string claim;
  std::vector<std::string> reasons;
};
struct TableBlock {
  Table table;
  std::string caption{};
};
/// `svg` is gnuplot's; Markdown links to `file` instead.
struct PictureBlock {
  std::string file, title, caption, svg;
};

using Block = std::variant<Heading, Paragraph, List, Statement, TableBlock, PictureBlock>;

/// All text is plain: whatever it holds is shown as it stands.
struct Page {
  std::string title;
  std::string lead;  ///< what there is to know, in a few sentences
  std::vector<Block> blocks;
};

std::string to_markdown(const Page& page);

/// One file that needs no other and no network: style and pictures are in it. Reads well on wide
/// and narrow windows; tables are sorted by a click on a heading.
std::string to_html(const Page& page);

}  // namespace edgeprune
