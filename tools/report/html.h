#pragma once
// Text and pictures as they may stand inside a page of HTML.

#include <string>
#include <string_view>

namespace edgeprune {

/// &, <, >, " and ' as character references: text between tags and in quoted attributes. Control
/// characters but line break and tab, and bytes that are not UTF-8, become U+FFFD.
std::string html_escaped(std::string_view text);

/// gnuplot's SVG file as an element of a page: without the XML prologue, namespaces (HTML knows
/// them) and title, with a text alternative, and with `prefix` before all its ids, since a page's
/// must differ. Empty if `svg` holds no svg element.
std::string inline_svg(std::string svg, const std::string& prefix, const std::string& alternative);

/// The page's style sheet and its script, which sorts tables.
extern const char* const kPageStyle;
extern const char* const kPageScript;

}  // namespace edgeprune
