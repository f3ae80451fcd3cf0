#pragma once
// What a bundle says of itself, and what is signed: the bytes of manifest.json, which name every other file by its SHA-256.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/inference/engine.h"
#include "models/resize.h"

namespace edgeprune::station {

struct FileEntry {
  std::string name, sha256;
  int64_t bytes = 0;
};

/// An image and what the network made of it where the bundle was made.
struct GoldenEntry {
  std::string file;
  std::vector<float> logits;  ///< [classes], as computed, not calibrated
};

/// A figure of the model on named data, and the least that it may be. Both from 0 to 1.
struct Gate {
  double required = 0, found = 0;
  bool missed() const { return !(found >= required); }
};
struct RecallGate {
  std::string name;    ///< a defect
  int64_t images = 0;  ///< of it
  Gate recall;         ///< the share of its images that did not pass
};

struct Manifest {
  std::string product;  ///< what stations it is for
  int64_t counter = 0;  ///< higher than that of every bundle before
  std::string created;  ///< for people: nothing depends on it
  // What goes with the weights. They say so themselves; that both agree is checked.
  std::vector<std::string> classes;
  int64_t input_size = 0;
  Resize resize = Resize::squash;
  std::array<float, 3> mean{}, std{};
  // Golden inputs.
  inference::Engine engine = inference::Engine::dense;  ///< by which their logits were made
  /// How far another CPU's logits may be from them, where floats are computed with; integers must be the same bits.
  float tolerance = 0;
  std::vector<GoldenEntry> golden;
  // Gates.
  std::string gate_data;  ///< the name of the data, for people
  int64_t gate_images = 0;
  Gate accuracy;
  std::vector<RecallGate> recalls;

  std::vector<FileEntry>
      files;  ///< all but this one, its signature and the key's certificate, in the bundle's order
};

std::string manifest_text(const Manifest& manifest);
/// Throws FileError("source: where: ...") on unknown or missing keys, values out of their range, logits that are not one
/// a class, counts that do not fit. Judges no gate.
Manifest parse_manifest(std::string_view text, const std::string& source);

}  // namespace edgeprune::station
