#include "data/cifar_pickle.h"

#include "engine/base/check.h"
#include "models/pth/pickle.h"

namespace edgeprune {
namespace {

constexpr int64_t kRow = 3 * 32 * 32;

pickle::Pickle unpickle_file(std::span<const char> file, const std::string& path) {
  ByteCursor bytes(std::as_bytes(file), path);
  return pickle::unpickle(bytes);
}

/// What a dict has under `key`.
pickle::Ref entry(const pickle::Pickle& pickle, const std::string& key, const std::string& path) {
  const auto* dict = pickle::as<pickle::Dict>(pickle.root);
  require_file(dict != nullptr, path, "no batch of CIFAR: a pickled dict was expected");
  for (const auto& [name, value] : dict->items) {
    const auto* text = pickle::as<std::string>(name);
    if (text != nullptr && *text == key) return value;
  }
  throw FileError(fmt::format("{}: no batch of CIFAR: there is no '{}' in it", path, key));
}

template <typename T>
std::vector<T> list_of(const pickle::Pickle& pickle, const std::string& key,
                       const std::string& path) {
  const auto* list = pickle::as<pickle::List>(entry(pickle, key, path));
  require_file(list != nullptr, path, "'{}' is no list", key);
  std::vector<T> values;
  for (const pickle::Ref item : list->items) {
    const T* value = pickle::as<T>(item);
    require_file(value != nullptr, path, "'{}' has an entry of another type", key);
    values.push_back(*value);
  }
  return values;
}

/// An array of bytes in rows of an image each. NumPy pickles arrays as a call that makes an empty one,
/// which is then given the state (version, shape, type, whether by columns, bytes).
const std::string& array_bytes(pickle::Ref array, int64_t rows, const std::string& path) {
  const auto* call = pickle::as<pickle::Call>(array);
  const auto* state =
      call == nullptr || call->state == nullptr ? nullptr : pickle::as<pickle::Tuple>(call->state);
  const bool whole = state != nullptr && state->items.size() == 5;
  const auto* shape = whole ? pickle::as<pickle::Tuple>(state->items[1]) : nullptr;
  const auto* by_columns = whole ? pickle::as<bool>(state->items[3]) : nullptr;
  const auto* bytes = whole ? pickle::as<std::string>(state->items[4]) : nullptr;
  require_file(shape != nullptr && by_columns != nullptr && bytes != nullptr, path,
               "'data' is no NumPy array");
  const auto side = [&](size_t i) {
    const auto* length = shape->items.size() == 2 ? pickle::as<int64_t>(shape->items[i]) : nullptr;
    return length == nullptr ? -1 : *length;
  };
  require_file(side(0) == rows && side(1) == kRow && !*by_columns &&
                   static_cast<int64_t>(bytes->size()) == rows * kRow,
               path, "'data' has {} bytes, {} images of {} were expected", bytes->size(), rows,
               kRow);
  return *bytes;
}

}  // namespace

PickledBatch read_pickled_batch(std::span<const char> file, const std::string& path,
                                const std::string& labels) {
  const pickle::Pickle pickle = unpickle_file(file, path);
  PickledBatch batch{list_of<int64_t>(pickle, labels, path), ""};
  batch.pixels = array_bytes(entry(pickle, "data", path), std::ssize(batch.labels), path);
  return batch;
}

std::vector<std::string> read_pickled_names(std::span<const char> file, const std::string& path,
                                            const std::string& key) {
  return list_of<std::string>(unpickle_file(file, path), key, path);
}

}  // namespace edgeprune
