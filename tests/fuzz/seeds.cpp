// Writes the inputs that fuzzing starts from, FOLDER/HARNESS/NAME, by the project's own writers and
// the tests' helpers: fuzz_seeds FOLDER

#include <filesystem>
#include <fstream>

#include "data/cifar.h"
#include "engine/tensor/safetensors.h"
#include "models/fold.h"
#include "models/onnx/write.h"
#include "models/onnx_export.h"
#include "models/sparse_storage.h"
#include "models/summary.h"
#include "tests/data/library_images.h"
#include "tests/data/tar_files.h"
#include "tests/fuzz/small_graph.h"
#include "tests/models/pth/pth_bytes.h"
#include "tests/support/sample_records.h"
#include "tests/support/whole_plan.h"
#include "tools/station/bundle/archive.h"
#include "tools/station/bundle/keys.h"
#include "tools/station/bundle/manifest.h"
#include "tools/station/bundle/pixmap.h"
#include "tools/station/decision/policy.h"
#include "tools/study/plan_file.h"
#include "tools/training/train_state.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;
using namespace testing;

fs::path root;

std::string seed_path(const std::string& harness, const std::string& name) {
  fs::create_directories(root / harness);
  return (root / harness / name).string();
}

void write_seed(const std::string& harness, const std::string& name, const std::string& bytes) {
  std::ofstream(seed_path(harness, name), std::ios::binary) << bytes;
}

Archive sample_archive() {
  Archive archive;
  archive.metadata = {{"format", "pt"}, {"note", "\"\n"}};
  archive.arrays["a.weight"] =
      Array::from(Tensor({4, 2}, std::vector<float>{0, 0, 0, 1, 0, 0, 0, 2}));
  archive.arrays["b.count"] = Array::from(int64_t{42});
  archive.arrays["c.bytes"] = {DType::u8, Shape{3}, std::vector<std::byte>(3, std::byte{9})};
  return archive;
}

void write_tensors() {
  write_safetensors(seed_path("safetensors", "small"), sample_archive());
  write_safetensors(seed_path("safetensors", "empty"), {});
  write_safetensors(seed_path("sparse_storage", "small"),
                    store_sparse(sample_archive(), {"a.weight"}));
}

void write_pth() {
  const std::string floats = storage("FloatStorage", "0", 6);
  const std::string object = ordered_dict(
      {{"w", parameter(tensor(floats, 1, {2, 2}, {1, 2}))}, {"v", tensor(floats, 0, {6}, {1})}});
  const std::vector<StoredBytes> storages = {{"0", 6, std::string(24, '\1')}};
  const auto made = [](const std::string& type, const Pairs& attributes) {
    return type + ")\x81" + dict(attributes) + "b";
  };
  const std::string weight = tensor(floats, 0, {6}, {1});
  const std::string child = made(global("__torch__.nn", "Linear"), {{"weight", weight}});
  const std::string kept_class =
      tuple({text("module"), global("a", "Net"), text(""), text("")}) + "Q";
  const std::string protocol5 = "}\x94(\x8c\x01w\x94" + weight + "\x94\x8c\x01s\x8f\x94(K\x01\x90" +
                                "\x8c\x01"
                                "d" +
                                text("torch") + text("Size") + "\x93)}\x92" + "u";
  const std::string typed = global("torch._utils", "_rebuild_tensor_v3") +
                            tuple({storage("FloatStorage", "0", 6), integer(0), integers({2}),
                                   integers({1}), "\x89", "N", global("torch", "float8_e5m2")}) +
                            "R";
  const std::string with_type =
      global("torch._tensor", "_rebuild_from_type_v2") +
      tuple({global("torch._utils", "_rebuild_tensor_v2"), global("torch", "Tensor"),
             tuple({floats, integer(0), integers({6}), integers({1}), "\x89", "N"}), dict({})}) +
      "R";
  for (const auto& [name, root_object] :
       Pairs{{"flat", object},
             {"nested", dict({{"epoch", integer(3)}, {"state_dict", object}})},
             {"averaged", dict({{"model_ema", object}, {"model", object}})},
             {"by_key", dict({{"a", dict({{"b", object}})}})},
             {"scripted", made(global("__torch__", "Net"), {{"0", child}, {"w", weight}})},
             {"module", made(kept_class, {{"_parameters", dict({{"w", weight}})},
                                          {"_modules", dict({{"0", child}})}})},
             {"protocol5", protocol5},
             {"typed", dict({{"w", typed}, {"v", with_type}})}}) {
    write_seed("pth_legacy", name, legacy_file(root_object, storages));
    write_seed("pth_zip", name, zip_file(zip_entries(root_object, storages)));
    write_seed("pth_zip", name + "_pickle", pickled(root_object));
  }
}

/// Every name of a network and one value each: it is the names that count.
void write_weights() {
  Archive named;
  const auto add = [&](const std::string& name, DType dtype) {
    named.arrays[name] = {dtype, Shape{1}, std::vector<std::byte>(size_of(dtype))};
  };
  add("module._orig_mod.conv_stem.weight", DType::f16);
  add("module._orig_mod.bn1.running_var", DType::bf16);
  add("module._orig_mod.bn1.num_batches_tracked", DType::i32);
  for (int block = 0; block < 14; ++block) {
    constexpr int kOf[] = {1, 2, 2, 6, 2};  // MobileNetV1's stages
    int stage = 0, index = block;
    while (stage < 4 && index >= kOf[stage]) index -= kOf[stage++];
    const std::string prefix = fmt::format("module._orig_mod.blocks.{}.{}.", stage, index);
    for (const char* part : {"conv_dw", "bn1", "conv_pw", "bn2"}) {
      add(prefix + part + ".weight", DType::f64);
    }
  }
  write_safetensors(seed_path("weights", "timm"), named);
  Archive masked;
  masked.arrays["backbone.a.weight_orig"] = Array::from(Tensor({2}, 1.0f));
  masked.arrays["backbone.a.weight_mask"] = Array::from(Tensor({2}, 0.0f));
  masked.arrays["head.bias"] = {DType::f8_e4m3, Shape{1}, std::vector<std::byte>(1)};
  masked.arrays["n_averaged"] = Array::from(int64_t{3});
  write_safetensors(seed_path("weights", "masked"), masked);
}

void write_models() {
  const nn::Network model(fuzz::small_graph(), 0);
  ModelInfo info;
  info.classes = {"cat", "dog"};
  info.history = {{{"step", "train"}, {"epochs", 3}}, {{"step", "prune"}, {"method", "magnitude"}}};
  save_checkpoint(seed_path("checkpoint", "dense"), model, info);
  onnx::write_onnx(seed_path("onnx", "small"), onnx::to_onnx(model, info, {.opset = 13}));
  const nn::Network zeros(fuzz::small_graph(), 0);
  for (PrunableWeight& weight : prunable_weights(zeros)) weight.variable.value().fill(0);
  save_checkpoint(seed_path("checkpoint", "sparse"), zeros, info, Storage::sparse);

  const auto rounded = without_batch_norm(model);
  ModelInfo quantized = info;
  quantized.quantization.emplace();
  for (const QuantizedOutput& output : quantized_outputs(*rounded)) {
    const std::string& node = rounded->graph().nodes[output.node].name;
    quantized.quantization->outputs[node] = grid_for(output, -1, 2);
  }
  for (const auto& layer : rounded->convolutions()) {
    quantized.quantization->weight_scales[layer->name].assign(
        static_cast<size_t>(layer->shape.out_channels), 0.25f);
  }
  save_checkpoint(seed_path("checkpoint", "quantized"), *rounded, quantized);
  save_checkpoint(seed_path("checkpoint", "quantized_sparse"), *rounded, quantized,
                  Storage::sparse);

  TrainProgress progress;
  progress.epoch = progress.best_epoch = 1;
  progress.batch = 2;
  progress.finished = {{1, 0.5, 0.25, 3.5, 200.5, 0.01, 0.125}};
  progress.best_accuracy = 0.125;
  progress.best_weights = model.state_dict();
  const auto optimizer = optim::make_optimizer("sgd", model.parameters(), 0);
  const nlohmann::json identity = {{"epochs", 3}};
  save_train_state(seed_path("train_state", "validated"), identity, model, *optimizer, progress);
  save_train_state(seed_path("train_state", "begun"), identity, model, *optimizer, {});
}

/// A PNG of 4x4 pixels, all bytes zero but for the ramp of the first row, not compressed.
/// (stb_image compares no checksums.)
std::string plain_png(int depth, int colour_type, int channels, bool interlaced) {
  const int row_bytes = (4 * channels * depth + 7) / 8;
  // The passes of Adam7 have 1, 0, 1, 1, 2, 2, 2 rows of 1, 0, 2, 1, 2, 2, 4 pixels.
  std::string rows(static_cast<size_t>(4 * (1 + row_bytes) * (interlaced ? 2 : 1)), '\0');
  for (int i = 1; i <= row_bytes && !interlaced; ++i)
    rows[static_cast<size_t>(i)] = static_cast<char>(i);
  const auto length = static_cast<uint32_t>(rows.size());
  const std::string deflated = from_hex("7801") + from_hex("01") + little_endian(length, 2) +
                               little_endian(~length & 0xffff, 2) + rows + big_endian(0);
  const std::string header = big_endian(4) + big_endian(4) + static_cast<char>(depth) +
                             static_cast<char>(colour_type) + std::string(2, '\0') +
                             static_cast<char>(interlaced);
  const std::string palette = colour_type == 3 ? png_chunk("PLTE", std::string(48, '\7')) : "";
  return from_hex("89504e470d0a1a0a") + png_chunk("IHDR", header) + palette +
         png_chunk("IDAT", deflated) + png_chunk("IEND", "");
}

void write_archives() {
  const std::string archive = tar_entry("./a/names", "cat\ndog\n") +
                              tar_entry("a/pixels", std::string(600, 'x')) + tar_end();
  write_seed("tar", "two_files.tar", archive);
  write_seed("tar", "folder.tar", tar_entry("a/", "", '5') + archive);
  write_gzip(seed_path("tar", "two_files.tar.gz"), archive);
}

void write_images() {
  write_seed("image", "rgba16.png", plain_png(16, 6, 4, false));
  write_seed("image", "palette4.png", plain_png(4, 3, 1, false));
  write_seed("image", "grey1_interlaced.png", plain_png(1, 0, 1, true));
  write_seed("image", "rgb8_interlaced.png", plain_png(8, 2, 3, true));
  write_seed("image", "six_pixels.bmp", bmp_bytes(one_colour(2, 3, 7)));
  write_seed("image", "rgb.png", png_bytes());
  write_seed("image", "grey.png", grey_png_bytes());
  write_seed("image", "two_halves.jpg", jpeg_bytes());
  write_seed("image", "lossless.webp", webp_bytes());
  write_seed("image", "lossy.webp", lossy_webp_bytes());
  write_seed("image", "turned.webp", turned_webp_bytes());
  write_seed("image", "animated.webp", animated_webp_bytes());
  write_seed("image", "lzw.tif", tiff_bytes());
  write_seed("image", "deflated.tif", deflated_tiff_bytes());
  write_seed("image", "rgba.tif", rgba_tiff_bytes());
  write_seed("image", "turned.tif", turned_tiff_bytes());
  write_seed("image", "grey16.tif", grey16_tiff_bytes());
  write_seed("image", "jpeg.tif", jpeg_tiff_bytes());
  const std::string names = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", record(3073, '\1');
  write_seed("cifar10", "names", static_cast<char>(names.size()) + names + record + record);
}

void write_texts() {
  for (const auto& plan : fs::directory_iterator(EDGEPRUNE_SOURCE_DIR "/tools/study/plans")) {
    if (plan.path().extension() == ".json") {
      fs::copy_file(plan.path(), seed_path("plan", plan.path().stem()));
    }
  }
  write_seed("plan", "whole", kWholePlan);
  write_seed("plan", "balanced",
             R"({"training": {"label_smoothing": 0.1, "class_weights": "balanced"}, "experiments": [
                 {"method": "lamp", "schedule": "one-shot", "targets": [0.5], "epochs": 1}]})");
  RunRecord run = sample_run("magnitude", "exact", 0.3, 0.9);
  run.correct.resize(4);
  run.latency.resize(1);
  run.curve.resize(1);
  append_record(seed_path("records", "row"), run);
  run.quantization = "ptq";
  run.latency[0].integer_factor = within(1.5, 0.01);
  run.latency[0].cpu_ms = 0.5;
  run.latency[0].joules = 0.001;
  append_record(seed_path("records", "quantized"), run);
}

void write_bundles() {
  using namespace station;
  const KeyCertificate certificate{"line 1", Key::generate().public_pem(), 1, 50};
  const Policy policy{.temperature = 1.5f,
                      .classes = {{.name = "ok", .good = true},
                                  {.name = "bad", .clear_below = 0.1f, .reject_from = 0.9f}}};
  Manifest manifest{.product = "parts",
                    .counter = 7,
                    .created = "",
                    .classes = {"ok", "bad"},
                    .input_size = 2,
                    .std = {1, 1, 1},
                    .tolerance = 0.001f,
                    .golden = {{"golden-000.ppm", {0.5f, -0.5f}}},
                    .gate_data = "parts",
                    .gate_images = 10,
                    .accuracy = {0.9, 0.95},
                    .recalls = {{"bad", 5, {0.9, 1}}},
                    .files = {{"policy.json", std::string(64, 'a'), 10}}};
  const std::string pixmap = pixmap_of({1, 2, {1, 2, 3, 4, 5, 6}}), text = manifest_text(manifest);
  write_seed("bundle", "manifest", text);
  write_seed("bundle", "certificate", certificate_text(certificate));
  write_seed("bundle", "policy", policy_text(policy));
  write_seed("bundle", "pixmap", pixmap);
  write_seed("bundle", "whole",
             pack({{"manifest.json", text},
                   {"key-certificate.json", certificate_text(certificate)},
                   {"policy.json", policy_text(policy)},
                   {"golden-000.ppm", pixmap}}));
}

}  // namespace
}  // namespace edgeprune

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: {} FOLDER\n", argv[0]);
    return 2;
  }
  edgeprune::root = argv[1];
  edgeprune::fs::remove_all(edgeprune::root);
  edgeprune::write_tensors();
  edgeprune::write_pth();
  edgeprune::write_weights();
  edgeprune::write_models();
  edgeprune::write_archives();
  edgeprune::write_images();
  edgeprune::write_texts();
  edgeprune::write_bundles();
}
