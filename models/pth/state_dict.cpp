#include "models/pth/state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune {
namespace {

struct Entry {
  const char* name;
  bool averaged;
};
constexpr Entry kEntries[] = {{"state_dict_ema", true},
                              {"model_ema", true},
                              {"state_dict", false},
                              {"model_state_dict", false},
                              {"model", false}};

// Objects may hold each other in circles, and share long lists: walks end here. MobileNetV2 nests
// five deep and has 213 modules of some ten attributes each.
constexpr int kDeepest = 32;
constexpr size_t kMostVisits = 100'000, kMostAttributes = 1000, kLongestName = 256;
constexpr size_t kNamedObjects = 3;

pickle::Ref find(const pickle::Dict& dict, std::string_view name) {
  for (const auto& [key, value] : dict.items) {
    const auto* text = pickle::as<std::string>(key);
    if (text != nullptr && *text == name) return value;
  }
  return nullptr;
}

/// A dict among an object's attributes.
const pickle::Dict* attribute(const pickle::Call& object, std::string_view name) {
  const auto* state = object.state == nullptr ? nullptr : pickle::as<pickle::Dict>(object.state);
  if (state == nullptr || state->items.size() > kMostAttributes) return nullptr;
  const pickle::Ref value = find(*state, name);
  return value == nullptr ? nullptr : pickle::as<pickle::Dict>(value);
}

/// Whether it has what torch.nn.Module keeps.
const pickle::Call* as_module(pickle::Ref value) {
  const auto* object = pickle::as<pickle::Call>(value);
  return object != nullptr && attribute(*object, "_modules") != nullptr ? object : nullptr;
}

bool holds_weights(pickle::Ref value) {
  const auto* dict = pickle::as<pickle::Dict>(value);
  return (dict != nullptr && !dict->items.empty()) || as_module(value) != nullptr;
}

class Finder {
 public:
  Finder(const pickle::Pickle& pickle, const std::string& path) : pickle_(pickle), path_(path) {}

  StateDict run() {
    const auto* root = pickle::as<pickle::Dict>(pickle_.root);
    pickle::Ref chosen = pickle_.root;
    const char* present = nullptr;
    for (const Entry& entry : kEntries) {
      const pickle::Ref value = root == nullptr ? nullptr : find(*root, entry.name);
      if (value == nullptr) continue;
      present = entry.name;
      if (!holds_weights(value)) continue;
      chosen = value;
      if (entry.averaged) {
        result_.notes.push_back(fmt::format(
            "the averaged weights are taken, '{}', not those of the last step", entry.name));
      }
      break;
    }
    require_file(present == nullptr || chosen != pickle_.root, path_,
                 "'{}' is not a dict of tensors", present == nullptr ? "" : present);
    collect(chosen);
    return std::move(result_);
  }

 private:
  void collect(pickle::Ref chosen) {
    if (const auto* dict = pickle::as<pickle::Dict>(chosen)) {
      for (const auto& [key, value] : dict->items) {
        const auto* name = pickle::as<std::string>(key);
        require_file(name != nullptr, path_, "state dict has a key that is not a string");
        add(*name, value);
      }
      note_objects();
      return;
    }
    const pickle::Call* module = as_module(chosen);
    const auto* object = pickle::as<pickle::Call>(chosen);
    require_file(
        module != nullptr, path_, "does not hold a dict of tensors{}: save model.state_dict()",
        object == nullptr ? "" : fmt::format(" but a {}", printable(object->function->name)));
    walk(*module, "", 0);
    result_.notes.push_back(
        fmt::format("holds a whole module, {}: its tensors are read, its code is not run",
                    printable(module->function->name)));
  }

  void walk(const pickle::Call& module, const std::string& prefix, int depth) {
    require_file(depth < kDeepest, path_, "modules hold each other: save model.state_dict()");
    for (const char* kind : {"_parameters", "_buffers"}) {
      for_each(module, kind, prefix, [&](const std::string& name, pickle::Ref value) {
        if (pickle::as<pickle::None>(value) == nullptr) add(name, value);
      });
    }
    for_each(module, "_modules", prefix, [&](const std::string& name, pickle::Ref value) {
      if (const pickle::Call* child = as_module(value)) walk(*child, name + ".", depth + 1);
    });
  }

  template <typename Visit>
  void for_each(const pickle::Call& module, const char* kind, const std::string& prefix,
                const Visit& visit) {
    const pickle::Dict* dict = attribute(module, kind);
    if (dict == nullptr) return;
    for (const auto& [key, value] : dict->items) {
      const auto* name = pickle::as<std::string>(key);
      require_file(name != nullptr && prefix.size() + name->size() <= kLongestName &&
                       ++visits_ <= kMostVisits,
                   path_, "a module's {} are too many, or have names that are none", kind);
      visit(prefix + *name, value);
    }
  }

  void add(const std::string& name, pickle::Ref value) {
    require_file(result_.entries.emplace(name, value).second, path_, "state dict has '{}' twice",
                 printable(name));
  }

  /// A dict's neighbours of unknown make.
  void note_objects() {
    std::set<std::string> names;
    for (const pickle::Value& value : pickle_.values) {
      const auto* call = pickle::as<pickle::Call>(&value);
      if (call != nullptr && !makes_tensors(call->function->name)) {
        names.insert(printable(call->function->name));
      }
    }
    if (names.empty()) return;
    const size_t more = names.size() - std::min(names.size(), kNamedObjects);
    std::vector<std::string> first(names.begin(),
                                   std::next(names.begin(), std::ptrdiff_t(names.size() - more)));
    result_.notes.push_back(
        fmt::format("objects beside the weights are passed over, nothing of them is run: {}{}",
                    fmt::join(first, ", "), more > 0 ? fmt::format(" and {} more", more) : ""));
  }

  const pickle::Pickle& pickle_;
  const std::string& path_;
  StateDict result_;
  size_t visits_ = 0;
};

}  // namespace

bool makes_tensors(const std::string& global) {
  return global == "torch._utils._rebuild_tensor_v2" || global == "torch._utils._rebuild_parameter";
}

StateDict find_state_dict(const pickle::Pickle& pickle, const std::string& path) {
  return Finder(pickle, path).run();
}

}  // namespace edgeprune
