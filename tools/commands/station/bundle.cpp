#include <fmt/chrono.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "engine/base/printable.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/commands/station/station_options.h"
#include "tools/measurement/evaluate.h"
#include "tools/station/bundle/bundle.h"
#include "tools/station/bundle/counters.h"
#include "tools/station/decision/calibration.h"

namespace edgeprune::commands {
namespace {

/// Of the largest golden logit: what other vector instructions, which add in another order, change in floats is a
/// thousandth of this; kernels chosen by `auto` for a quantised model round its maps elsewhere.
constexpr float kFloatTolerance = 1e-3f, kMixedTolerance = 0.1f;

// ---- keygen ----------------------------------------------------------------

struct KeygenArguments {
  bool root = false, signing = false;
  std::string root_key, out, name;
  int64_t first = 1, last = 1'000'000;
};

void make_keys(const KeygenArguments& o) {
  require_usage(o.root != o.signing, "keygen", "expected either --root or --signing");
  require_usage(o.signing == !o.root_key.empty(), "keygen", "--signing and --root-key go together");
  require_usage(o.first <= o.last, "keygen", "--first-counter {} is above --last-counter {}",
                o.first, o.last);
  const std::string secret = o.out + ".pem", open = o.out + ".pub.pem",
                    certificate = o.out + ".cert.json";
  for (const std::string& path : {secret, open, certificate, certificate + ".sig"}) {
    require_file(!std::filesystem::exists(path), path,
                 "it is there already: no key is overwritten");
  }
  std::unique_ptr<station::Key> root;
  if (o.signing) root = std::make_unique<station::Key>(station::Key::read_private(o.root_key));
  const station::Key key = station::Key::generate();
  key.write_private(secret);
  write_file_atomically(open, key.public_pem());
  say(fmt::format("{}: private, keep it {}; {}: public", secret,
                  o.root ? "off every network" : "where bundles are made", open));
  if (!root) return;
  const std::string name =
      o.name.empty() ? std::filesystem::path(o.out).filename().string() : o.name;
  const std::string text = station::certificate_text({name, key.public_pem(), o.first, o.last});
  write_file_atomically(certificate, text);
  write_file_atomically(certificate + ".sig", root->sign(text));
  say(fmt::format("{}: may sign bundles with counters from {} to {}", certificate, o.first,
                  o.last));
}

void add_keygen(CLI::App& bundle) {
  auto* command =
      bundle.add_subcommand("keygen", "Make a root key, or a signing key that it certifies");
  auto o = std::make_shared<KeygenArguments>();
  command->add_flag("--root", o->root, "a root key: kept offline, it signs signing keys alone");
  command->add_flag("--signing", o->signing, "a signing key, with its certificate by --root-key");
  command->add_option("--root-key", o->root_key, "the root's private key, of --signing");
  command->add_option("--first-counter", o->first, "of the bundles that it may sign")
      ->check(positive())
      ->capture_default_str();
  command->add_option("--last-counter", o->last, "likewise")
      ->check(positive())
      ->capture_default_str();
  command->add_option("--name", o->name, "of the signing key, for people (default: OUT's)");
  command
      ->add_option("--out", o->out,
                   "beginning of the files' names: OUT.pem (private, mode 0600), OUT.pub.pem, and "
                   "of signing keys OUT.cert.json, OUT.cert.json.sig")
      ->required();
  command->footer(
      "Examples:\n"
      "  edgeprune bundle keygen --root --out root\n"
      "  edgeprune bundle keygen --signing --root-key root.pem --last-counter 5000 --out line1");
  command->callback([o] { make_keys(*o); });
}

// ---- create ----------------------------------------------------------------

struct CreateArguments {
  std::string model, policy, product = "station", engine = "dense", split = "test", golden, key,
                             certificate, out;
  std::vector<std::string> gates, recalls;
  DataFlags data;
  int64_t counter = 0, limit = 0, golden_images = 16;
  int threads = 1;
};

double parse_gate(const std::string& text) {
  const std::string prefix = "accuracy=";
  require(text.starts_with(prefix), "gate", "expected accuracy=SHARE, got '{}'", printable(text));
  std::string share = text.substr(prefix.size());
  const std::string why = fraction(true)(share);
  require(why.empty(), "gate", "{}", why);
  return std::stod(share);
}

std::string text_of_file(const std::string& path) {
  const std::vector<char> bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

void fill_gates(const CreateArguments& o, const Evaluation& result, const Dataset& data,
                const station::Policy& policy, station::Manifest& manifest) {
  manifest.gate_data = data.source;
  manifest.gate_images = result.images;
  manifest.accuracy = {.required = parse_gate(o.gates.front()), .found = result.accuracy};
  std::vector<bool> good;
  for (const station::ClassRule& rule : policy.classes) good.push_back(rule.good);
  const std::vector<double> recalls = recalls_of(o.recalls, manifest.classes, good, 0);
  const auto outcomes =
      station::outcomes({result.logits.values(), data.labels, good.size()}, policy);
  for (size_t c = 0; c < good.size(); ++c) {
    const auto& [images, passed, rejected, reviewed] = outcomes[c];
    if (good[c] || (images == 0 && recalls[c] == 0)) continue;
    require(images > 0, "recall", "{} has no images of '{}'", data.source,
            printable(manifest.classes[c]));
    manifest.recalls.push_back(
        {manifest.classes[c], images, {recalls[c], double(images - passed) / double(images)}});
  }
}

void fill_golden(const Checkpoint& checkpoint, inference::Engine engine,
                 const std::vector<Image>& images, station::Manifest& manifest) {
  float largest = 0;
  for (std::vector<float>& logits : station::logits_of(checkpoint, images, engine)) {
    for (const float logit : logits) largest = std::max(largest, std::abs(logit));
    manifest.golden.push_back({"", std::move(logits)});
  }
  manifest.engine = engine;
  manifest.tolerance = largest * (checkpoint.info.quantization ? kMixedTolerance : kFloatTolerance);
}

void create(const CreateArguments& o, bool engine_given) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  require_usage(o.gates.size() == 1, "bundle", "expected one --gate accuracy=SHARE");
  require_other_file(o.model, o.out, "bundle create");
  const auto claim = claim_output(o.out);
  const station::Signer signer{station::Key::read_private(o.key), text_of_file(o.certificate),
                               text_of_file(o.certificate + ".sig")};
  const std::string weights = text_of_file(o.model), policy_text = text_of_file(o.policy);
  const station::Policy policy = station::parse_policy(policy_text, o.policy);
  const Checkpoint checkpoint = station::load_weights(weights, o.model);
  const ModelInfo& info = checkpoint.info;
  station::require_same_classes(policy, info.classes);
  const auto engine =
      inference::parse_engine(engines_for(checkpoint, engine_given, {o.engine}).front());
  const Dataset data =
      o.data.open("bundle", value_of("split", kSplits, o.split), sight_of(checkpoint), o.limit);
  DataFlags golden_data = o.data;
  if (!o.golden.empty()) golden_data.location = o.golden;
  const Dataset golden = golden_data.open("bundle", value_of("split", kSplits, o.split),
                                          sight_of(checkpoint), o.golden_images);
  station::Manifest manifest{.product = o.product,
                             .counter = o.counter,
                             .created = fmt::format("{:%FT%TZ}", fmt::gmtime(std::time(nullptr))),
                             .classes = info.classes,
                             .input_size = checkpoint.model->graph().input_size(),
                             .resize = info.resize,
                             .mean = info.mean,
                             .std = info.std,
                             .engine = engine,
                             .golden = {},
                             .gate_data = {},
                             .accuracy = {},
                             .recalls = {},
                             .files = {}};
  const Evaluation result = evaluate(*checkpoint.model, info, data, engine);
  report_warning(result.warning, false, say);
  fill_gates(o, result, data, policy, manifest);
  station::require_gates(manifest, o.model);
  fill_golden(checkpoint, engine, golden.images, manifest);
  write_file_atomically(o.out,
                        station::seal(manifest, weights, policy_text, golden.images, signer));
  say(
      fmt::format("{}: counter {}, accuracy {:.2f} % on {} images of {} ({:.2f} % required), {} "
                  "golden images by {}",
                  o.out, o.counter, 100 * result.accuracy, result.images, data.source,
                  100 * manifest.accuracy.required, golden.size(), inference::to_string(engine)));
}

void add_create(CLI::App& bundle) {
  auto* command =
      bundle.add_subcommand("create", "Make and sign a bundle, if the model passes its gates");
  auto o = std::make_shared<CreateArguments>();
  command->add_option("--model", o->model, "checkpoint of edgeprune's")->required();
  command->add_option("--policy", o->policy, "what edgeprune calibrate wrote")->required();
  o->data.add(*command)->description("images that the gates are judged on (see train --help)");
  command->add_option("--split", o->split, explained(kSplits))
      ->check(choices(kSplits))
      ->capture_default_str();
  command->add_option("--limit", o->limit, "so many images, of each class in proportion; 0: all")
      ->check(not_negative())
      ->capture_default_str();
  command->add_option("--gate", o->gates, "accuracy=SHARE: no bundle of a model that has less")
      ->check(parsed_by(parse_gate))
      ->required();
  add_recalls(
      *command, o->recalls,
      "nor of one that lets more of a defect's items pass: DEFECT=SHARE, or SHARE for all others");
  command->add_option("--golden", o->golden,
                      "data that golden images are taken from (default: --data)");
  command->add_option("--golden-images", o->golden_images, "so many, of each class in proportion")
      ->check(CLI::Range(1, 900))
      ->capture_default_str();
  command->add_option("--product", o->product, "what stations it is for")->capture_default_str();
  command->add_option("--counter", o->counter, "higher than that of every bundle before")
      ->check(positive())
      ->required();
  command->add_option("--key", o->key, "the signing key, private")->required();
  command
      ->add_option("--key-certificate", o->certificate,
                   "what keygen made with it; FILE.sig lies beside")
      ->required();
  command->add_option("--out", o->out, "bundle to write")->required();
  auto* engine = add_engine(*command, o->engine);
  add_threads(*command, o->threads);
  command->footer(
      "Example:\n"
      "  edgeprune bundle create --model int8.safetensors --policy policy.json --data parts --gate "
      "accuracy=0.98 "
      "--recall 0.99 --key line1.pem --key-certificate line1.cert.json --counter 7 --out "
      "parts.bundle");
  command->callback([o, engine] { create(*o, engine->count() > 0); });
}

// ---- verify, show ----------------------------------------------------------

struct VerifyArguments {
  std::string path, counters, engine, format = "md";
  station::Acceptance acceptance;
  bool accept = false;
  int threads = 1;
};

Table manifest_table(const station::Manifest& manifest, const std::string& key_name) {
  Table table({{"what", "what", Align::left}, {"value", "value", Align::left}});
  const auto row = [&](const char* what, const std::string& value) {
    table.add_row({what, value});
  };
  row("product", manifest.product);
  row("counter", std::to_string(manifest.counter));
  row("created", manifest.created + ", by its maker's clock");
  row("signed by", key_name);
  row("classes", fmt::format("{}", fmt::join(manifest.classes, ", ")));
  row("images", fmt::format("{0}x{0}, {1}", manifest.input_size, to_string(manifest.resize)));
  row("accuracy",
      fmt::format("{:.2f} % on {} images of {}, {:.2f} % required", 100 * manifest.accuracy.found,
                  manifest.gate_images, manifest.gate_data, 100 * manifest.accuracy.required));
  for (const station::RecallGate& one : manifest.recalls) {
    row("diverted", fmt::format("{:.2f} % of {} of {}, {:.2f} % required", 100 * one.recall.found,
                                one.images, one.name, 100 * one.recall.required));
  }
  row("golden", fmt::format("{} images by {}; floats within {:g}{}", manifest.golden.size(),
                            inference::to_string(manifest.engine), manifest.tolerance,
                            in_integers(manifest.engine) ? ", integers bit for bit" : ""));
  for (const station::FileEntry& one : manifest.files) {
    if (one.name == station::kWeights || one.name == station::kPolicyFile)
      row(one.name.c_str(), one.sha256);
  }
  return table;
}

void verify(VerifyArguments o) {
  const ThreadScope threads(o.threads);
  require_usage(!o.accept || !o.counters.empty(), "verify", "--accept needs --counters");
  require_usage(o.counters.empty() || !o.acceptance.product.empty(), "verify",
                "--counters needs --product");
  const auto claim = o.accept ? claim_output(o.counters) : nullptr;
  station::Counters counters;
  if (!o.counters.empty()) {
    counters = station::read_counters(o.counters);
    o.acceptance.accepted_counter =
        std::max(o.acceptance.accepted_counter, counters[o.acceptance.product]);
  }
  const station::Bundle bundle = station::open_bundle(o.path, o.acceptance);
  try {
    station::check_golden(
        bundle, o.engine.empty() ? bundle.manifest.engine : inference::parse_engine(o.engine));
  } catch (const FileError& error) {
    throw FileError(o.path + ": " + error.what());
  }
  if (o.accept) {
    counters[o.acceptance.product] = bundle.manifest.counter;
    station::write_counters(o.counters, counters);
  }
  print(manifest_table(bundle.manifest, bundle.key_name), o.format);
}

void add_verify(CLI::App& bundle) {
  auto* command = bundle.add_subcommand("verify",
                                        "Check all that a station checks: signatures, files, "
                                        "counter, gates, golden logits on this CPU");
  auto o = std::make_shared<VerifyArguments>();
  command->add_option("bundle", o->path, "file")->required();
  command->add_option("--root", o->acceptance.root_key, "the root's public key")->required();
  command
      ->add_option("--accepted-counter", o->acceptance.accepted_counter,
                   "of the last bundle that was accepted: this and lower ones are refused")
      ->check(not_negative())
      ->capture_default_str();
  command->add_option("--counters", o->counters,
                      "file with the counters that were accepted, by product");
  command->add_flag("--accept", o->accept, "put this one's into it");
  command->add_option("--product", o->acceptance.product, "that it must be for");
  command->add_option("--classes", o->acceptance.classes, "that it must have, in their order")
      ->delimiter(',');
  command
      ->add_option(
          "--engine", o->engine,
          "of the golden logits: " + explained(inference::kEngines) + " (default: the bundle's)")
      ->check(choices(inference::kEngines));
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "The same without edgeprune, of the signature alone:\n"
      "  tar xf parts.bundle\n"
      "  openssl pkeyutl -verify -rawin -pubin -inkey line1.pub.pem -sigfile manifest.json.sig -in "
      "manifest.json\n"
      "Example:\n"
      "  edgeprune bundle verify parts.bundle --root root.pub.pem --product parts --counters "
      "counters.json --accept");
  command->callback([o] { verify(*o); });
}

struct ShowArguments {
  std::string path, format = "md";
};

void add_show(CLI::App& bundle) {
  auto* command = bundle.add_subcommand(
      "show", "Print what a bundle says of itself, which may be false: nothing is verified");
  auto o = std::make_shared<ShowArguments>();
  command->add_option("bundle", o->path, "file")->required();
  add_format(*command, o->format);
  command->footer("Example:\n  edgeprune bundle show parts.bundle");
  command->callback([o] {
    const auto [manifest, key_name] = station::read_unverified(o->path);
    print(manifest_table(manifest, key_name), o->format);
  });
}

}  // namespace

void add_bundle(CLI::App& app) {
  auto* command = app.add_subcommand(
      "bundle", "A model with all that a station needs of it in one signed file");
  command->require_subcommand(1);
  add_create(*command);
  add_verify(*command);
  add_keygen(*command);
  add_show(*command);
  command->footer(
      "Examples:\n"
      "  edgeprune bundle keygen --root --out root\n"
      "  edgeprune bundle keygen --signing --root-key root.pem --out line1\n"
      "  edgeprune bundle create --model int8.safetensors --policy policy.json --data parts --gate "
      "accuracy=0.98 "
      "--key line1.pem --key-certificate line1.cert.json --counter 7 --out parts.bundle\n"
      "  edgeprune bundle verify parts.bundle --root root.pub.pem");
}

}  // namespace edgeprune::commands
