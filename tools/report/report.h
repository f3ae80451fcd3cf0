#pragma once
// What a study's rows say, as a page: answers first, then numbers, pictures, and how it was
// measured.

#include <string>
#include <vector>

#include "tools/report/page.h"
#include "tools/report/pictures.h"
#include "tools/report/results.h"

namespace edgeprune {

/// Pictures are linked to as plots/NAME.svg in Markdown, and part of the page in HTML. Parts for
/// which the rows have no data are left out.
Page report_page(const Results& results, const std::vector<DrawnPicture>& drawn);

/// The answer in two or three sentences: does pruning make the network faster on this machine, by
/// which means, and at what price in accuracy?
std::string headline(const Results& results);

/// What a terminal ends with, five lines: the baseline, the best row of equal accuracy, its speed
/// with its interval, where the report is, the next command.
std::vector<std::string> summary(const Results& results, const std::string& folder);

}  // namespace edgeprune
