#include "models/pth/module_tree.h"

#include "engine/base/check.h"
#include "models/pth/tensors.h"

namespace edgeprune {
namespace {

// Objects may hold each other in circles, and share long lists: walks end here. MobileNetV2 nests
// five deep and has 213 modules of some ten attributes each.
constexpr int kDeepest = 32;
constexpr size_t kMostVisits = 100'000, kMostAttributes = 1000, kLongestName = 256;

const pickle::Dict* attributes_of(const pickle::Call& object) {
  const auto* state = object.state == nullptr ? nullptr : pickle::as<pickle::Dict>(object.state);
  return state == nullptr || state->items.size() > kMostAttributes ? nullptr : state;
}

/// A dict among an object's attributes.
const pickle::Dict* attribute(const pickle::Call& object, std::string_view name) {
  const pickle::Dict* state = attributes_of(object);
  if (state == nullptr) return nullptr;
  for (const auto& [key, value] : state->items) {
    const auto* text = pickle::as<std::string>(key);
    if (text != nullptr && *text == name) return pickle::as<pickle::Dict>(value);
  }
  return nullptr;
}

/// TorchScript's classes are the module's own, behind this name; what they hold are plain attributes.
bool is_scripted(const pickle::Call& object) {
  return object.function->name.starts_with("__torch__.") && attributes_of(object) != nullptr;
}

class Walk {
 public:
  Walk(const std::string& path, const VisitTensor& visit) : path_(path), visit_(visit) {}

  void module(pickle::Ref value, const std::string& prefix, int depth) {
    require_file(depth < kDeepest, path_, "modules hold each other: save model.state_dict()");
    const auto& object = *pickle::as<pickle::Call>(value);
    const auto child = [&](const std::string& name, pickle::Ref inner) {
      if (is_module(inner)) module(inner, name + ".", depth + 1);
    };
    if (is_scripted(object)) {
      return for_each(*attributes_of(object), prefix, [&](const auto& name, pickle::Ref inner) {
        if (makes_tensor(inner)) visit_(name, inner);
        child(name, inner);
      });
    }
    for (const char* kind : {"_parameters", "_buffers"}) {
      for_each_in(object, kind, prefix, [&](const std::string& name, pickle::Ref inner) {
        if (pickle::as<pickle::None>(inner) == nullptr) visit_(name, inner);
      });
    }
    for_each_in(object, "_modules", prefix, child);
  }

 private:
  template <typename Visit>
  void for_each_in(const pickle::Call& object, const char* kind, const std::string& prefix,
                   const Visit& visit) {
    if (const pickle::Dict* dict = attribute(object, kind)) for_each(*dict, prefix, visit);
  }

  template <typename Visit>
  void for_each(const pickle::Dict& dict, const std::string& prefix, const Visit& visit) {
    for (const auto& [key, value] : dict.items) {
      const auto* name = pickle::as<std::string>(key);
      require_file(name != nullptr && prefix.size() + name->size() <= kLongestName &&
                       ++visits_ <= kMostVisits,
                   path_, "a module's parts are too many, or have names that are none");
      visit(prefix + *name, value);
    }
  }

  const std::string& path_;
  const VisitTensor& visit_;
  size_t visits_ = 0;
};

}  // namespace

bool is_module(pickle::Ref value) {
  const auto* object = pickle::as<pickle::Call>(value);
  return object != nullptr && (attribute(*object, "_modules") != nullptr || is_scripted(*object));
}

void walk_module(pickle::Ref module, const std::string& path, const VisitTensor& visit) {
  Walk(path, visit).module(module, "", 0);
}

}  // namespace edgeprune
