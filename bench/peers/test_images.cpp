// A data set's test images as a checkpoint's network reads them, for compare_inference.py to run its peers on.

#include <CLI/CLI.hpp>
#include <fstream>

#include "data/loader.h"
#include "data/open.h"
#include "engine/base/check.h"
#include "models/checkpoint.h"

namespace edgeprune {
namespace {

void write_images(const std::string& model, const std::string& data, const std::string& images,
                  const std::string& labels) {
  const Checkpoint checkpoint = load_checkpoint(model, {.quantized = true});
  LoaderOptions loading;
  loading.input_size = static_cast<int>(checkpoint.model->graph().input_size());
  loading.normalisation = {checkpoint.info.mean, checkpoint.info.std};
  const ReadOptions reading{.input_size = loading.input_size, .resize = checkpoint.info.resize};
  const Dataset dataset = open_dataset(data, Split::test, reading);
  Loader loader(dataset, loading);
  std::ofstream to(images, std::ios::binary), labels_to(labels);
  Batch batch;
  loader.start_epoch(0);
  while (loader.next(batch)) {
    to.write(reinterpret_cast<const char*>(batch.input.data()),
             batch.input.count() * std::streamsize{sizeof(float)});
    for (const int label : batch.labels) labels_to << label << '\n';
  }
  require_file(to.flush().good() && labels_to.flush().good(), images, "could not be written whole");
}

}  // namespace
}  // namespace edgeprune

int main(int argc, char** argv) try {
  CLI::App app{"Test images as a network reads them"};
  std::string model, data, images, labels;
  app.add_option("--model", model, "checkpoint")->required();
  app.add_option("--data", data, "as of edgeprune eval")->required();
  app.add_option("--images", images, "file to write: float32 values [N,S,S,3]")->required();
  app.add_option("--labels", labels, "file to write: a number a line")->required();
  CLI11_PARSE(app, argc, argv);
  edgeprune::write_images(model, data, images, labels);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}: {}\n", argv[0], error.what());
  return 1;
}
