#include "tools/report/pictures.h"

#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tools/report/layer_plots.h"
#include "tools/report/pareto.h"
#include "tools/report/plots.h"
#include "tools/report/query.h"

namespace edgeprune {
namespace {

template <typename Make>
Picture picture(const Results& results, std::string name, std::string title, std::string caption,
                const Make& make) {
  return {std::move(name), std::move(title), std::move(caption),
          [&results, make](ImageFormat format) { return draw(make(results), format); }};
}

}  // namespace

std::vector<Picture> pictures(const Results& results) {
  require(!results.rows().empty(), "pictures", "there are no runs to draw");
  const bool timed = !timings(results.rows()).empty();
  std::vector<Picture> found;
  found.push_back(
      picture(results, "accuracy", "Test accuracy against sparsity",
              (results.follows_original()
                   ? "A line per way of pruning and schedule; grey diamonds are what the "
                     "original study measured for the rows in common."
                   : "A line per way of pruning and schedule.") +
                  std::string(results.has_quantized() ? " Open markers on dotted lines are of rows "
                                                        "in 8-bit integers."
                                                      : ""),
              accuracy_figure));
  if (timed) {
    found.push_back(picture(results, "latency", "Latency against sparsity",
                            "Colour tells what was pruned, dashes and markers the engine; "
                            "schedules are taken together, as they hardly matter here. Bars are "
                            "the 95 % intervals; noisy timings are not shown.",
                            latency_figure));
  }
  found.push_back(picture(results, "nonzero_parameters", "Nonzero parameters against sparsity",
                          "All ways lie on one line by definition; broader lines are drawn below, "
                          "so that each can be seen.",
                          nonzero_figure));
  if (has_trusted_times(results)) {
    found.push_back(picture(results, "pareto", "Accuracy against measured latency",
                            "Each row on its fastest engine, without noisy timings; bars are the "
                            "95 % intervals. Up and to the left is better; nothing "
                            "beats the rows on the dashed line. Rows more than 25 points below the "
                            "most accurate one are not shown.",
                            pareto_figure));
  }
  if (has_layers(results)) {
    found.push_back(picture(results, "layers", "Sparsity layer by layer",
                            "Layers in the order they run; the number is the percentage of a "
                            "layer's weights that is zero or was removed.",
                            layer_sparsity_map));
  }
  if (has_curves(results)) {
    found.push_back(picture(results, "curves", "Training loss and accuracy by epoch",
                            "On the training batches. Iterative schedules rise whenever the next "
                            "step prunes; of each schedule the row with the highest target.",
                            curve_figure));
  }
  return found;
}

std::vector<DrawnPicture> write_pictures(const Results& results, const std::string& folder) {
  const auto path = [&](const std::string& file) {
    return (std::filesystem::path(folder) / file).string();
  };
  std::vector<DrawnPicture> drawn;
  for (const Picture& one : pictures(results)) {
    drawn.push_back({one.name, one.title, one.caption, one.draw(ImageFormat::svg)});
    write_file_atomically(path(one.name + ".svg"), drawn.back().svg);
    write_file_atomically(path(one.name + ".png"), one.draw(ImageFormat::png));
  }
  return drawn;
}

}  // namespace edgeprune
