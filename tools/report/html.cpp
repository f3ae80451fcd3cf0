#include "tools/report/html.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace edgeprune {
namespace {

/// Bytes of the UTF-8 character that `text` starts with; 0 if it is none (RFC 3629's table).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80                    ? 1
                        : lead >= 0xc2 && lead <= 0xdf ? 2
                        : lead >= 0xe0 && lead <= 0xef ? 3
                        : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool too_large = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

void replace_all(std::string& text, std::string_view from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

void erase_between(std::string& text, std::string_view begin, std::string_view end) {
  for (size_t at = text.find(begin); at != std::string::npos; at = text.find(begin, at)) {
    const size_t last = text.find(end, at + begin.size());
    if (last == std::string::npos) return;
    text.erase(at, last + end.size() - at);
  }
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    const char c = text.front();
    const bool control = static_cast<uint8_t>(c) < ' ' && c != '\n' && c != '\t';
    if (length == 0 || control || c == '\x7f') {
      escaped += "\uFFFD";
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else if (c == '\'') {
      escaped += "&#39;";
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(1, length));
  }
  return escaped;
}

std::string inline_svg(std::string svg, const std::string& prefix, const std::string& alternative) {
  const size_t begin = svg.find("<svg");
  if (begin == std::string::npos) return {};
  svg.erase(0, begin + 4);
  erase_between(svg, "<title>", "</title>");
  erase_between(svg, "<desc>", "</desc>");
  erase_between(svg, " xmlns=\"", "\"");
  erase_between(svg, "\nxmlns=\"", "\"");
  erase_between(svg, " xmlns:xlink=\"", "\"");
  replace_all(svg, "xlink:href='#", "href='#");
  for (const std::string_view start : {"href='#", "url(#", " id='", " id=\""}) {
    replace_all(svg, start, std::string(start) + prefix);
  }
  return "<svg role=\"img\" aria-label=\"" + html_escaped(alternative) + "\"" + svg;
}

const char* const kPageStyle = R"css(
:root { color-scheme: light; --ink: #1c2430; --soft: #5a6675; --line: #dde3ea; --band: #f5f7fa;
  --accent: #0072b2; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
header { background: #10243a; color: #fff; padding: 2rem 0 1.8rem; }
header h1 { margin: 0 0 .6rem; font-size: 1.9rem; line-height: 1.2; }
header p { margin: 0; max-width: 62rem; font-size: 1.12rem; color: #dfe8f1; }
.column { max-width: 84rem; margin: 0 auto; padding: 0 1.5rem; }
nav { border-bottom: 1px solid var(--line); background: var(--band); }
nav .column { display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; padding-top: .6rem;
  padding-bottom: .6rem; }
nav a { color: var(--accent); text-decoration: none; font-size: .95rem; }
nav a:hover { text-decoration: underline; }
h2 { margin: 2.6rem 0 .8rem; font-size: 1.4rem; line-height: 1.25; scroll-margin-top: 1rem; }
p, ul { max-width: 62rem; margin: .7rem 0; overflow-wrap: anywhere; }
li { margin: .25rem 0; }
.verdict { border-left: 5px solid #8a94a1; background: var(--band); padding: .8rem 1.1rem;
  margin: .8rem 0; border-radius: 0 6px 6px 0; }
.verdict p, .verdict ul { max-width: 78rem; margin: .35rem 0 0; font-size: .95rem; }
.verdict ul { padding-left: 1.3rem; } .verdict li { margin: .1rem 0; }
.verdict strong { font-size: 1.05rem; overflow-wrap: anywhere; }
.verdict .label { display: inline-block; margin-right: .6rem; padding: .05rem .6rem;
  border-radius: 1rem; background: #6b7683; color: #fff; font-size: .82rem; font-weight: 600; }
.good { border-color: #007a5a; } .good .label { background: #007a5a; }
.bad { border-color: #b54800; } .bad .label { background: #b54800; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums;
  width: 100%; }
th, td { padding: .32rem .6rem; text-align: right; white-space: nowrap; }
th { background: var(--band); border-bottom: 1px solid var(--line); vertical-align: bottom;
  line-height: 1.25; font-weight: 600; cursor: pointer; }
th.wrap { white-space: normal; min-width: 4.6rem; }
th[aria-sort="ascending"]::after { content: " ▲"; font-size: .7em; }
th[aria-sort="descending"]::after { content: " ▼"; font-size: .7em; }
th.left, td.left { text-align: left; }
td.remark { white-space: normal; min-width: 11rem; }
tbody tr:nth-child(even) { background: #fafbfd; }
tbody tr:hover { background: #eef5fb; }
th:first-child, td:first-child { position: sticky; left: 0; }
td:first-child { background: inherit; }
tbody tr { background: #fff; }
.note { color: var(--soft); font-size: .9rem; margin-top: .3rem; }
figure { margin: 1.6rem 0 2rem; }
figure .scroll { background: #fff; }
figure svg { display: block; width: 100%; min-width: 46rem; max-width: 70rem; height: auto;
  margin: 0 auto; }
figcaption { color: var(--soft); font-size: .9rem; max-width: 62rem; }
footer { margin: 3rem 0 2rem; color: var(--soft); font-size: .9rem; }
@media (max-width: 40rem) {
  .column { padding: 0 .9rem; }
  header { padding: 1.3rem 0; } header h1 { font-size: 1.5rem; } header p { font-size: 1rem; }
  h2 { font-size: 1.2rem; margin-top: 2rem; }
  table { font-size: .8rem; } th, td { padding: .28rem .45rem; }
  .cards thead { display: none; }
  .cards tr { display: grid; grid-template-columns: 1fr 1fr; padding: .4rem .3rem;
    border-bottom: 1px solid var(--line); }
  .cards td, .cards td.left { text-align: left; white-space: normal; overflow-wrap: anywhere;
    padding: .12rem .45rem; }
  .cards td:empty { display: none; }
  .cards td::before { content: attr(data-column); display: block; color: var(--soft);
    font-size: .72rem; line-height: 1.2; }
  .cards td:first-child, .cards td.remark { position: static; grid-column: 1 / -1; }
  .cards td:first-child { font-weight: 600; font-size: .9rem; }
  .cards td.left:first-child::before { content: none; }
  figure svg { min-width: 48rem; }
}
@media print { nav { display: none; } .scroll { overflow: visible; border: 0; }
  figure { break-inside: avoid; } figure svg { min-width: 0; } }
)css";

const char* const kPageScript = R"js(
document.querySelectorAll("th").forEach(th => th.addEventListener("click", () => {
  const rows = th.closest("table").tBodies[0], up = th.getAttribute("aria-sort") !== "ascending";
  const text = tr => tr.cells[th.cellIndex].textContent, number = tr => parseFloat(text(tr));
  const order = (a, b) => !text(a) - !text(b) || (up ? 1 : -1) *
      (isNaN(number(a)) || isNaN(number(b)) ? text(a).localeCompare(text(b)) : number(a) - number(b));
  th.parentNode.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  th.setAttribute("aria-sort", up ? "ascending" : "descending");
  [...rows.rows].sort(order).forEach(tr => rows.append(tr));
}));
)js";

}  // namespace edgeprune
