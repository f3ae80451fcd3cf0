#include "models/pth/state_dict.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "engine/base/check.h"
#include "engine/base/printable.h"
#include "models/pth/module_tree.h"
#include "models/pth/tensors.h"

namespace edgeprune {
namespace {

struct Entry {
  const char* name;
  bool averaged;
};
constexpr Entry kEntries[] = {{"state_dict_ema", true}, {"model_ema", true},
                              {"state_dict", false},    {"model_state_dict", false},
                              {"model", false},         {"net", false}};

constexpr size_t kNamed = 3;  ///< of many things, in a note

pickle::Ref find(pickle::Ref root, std::string_view name) {
  const auto* dict = pickle::as<pickle::Dict>(root);
  if (dict == nullptr) return nullptr;
  for (const auto& [key, value] : dict->items) {
    const auto* text = pickle::as<std::string>(key);
    if (text != nullptr && *text == name) return value;
  }
  return nullptr;
}

/// "a.b": what is called so, else the entry "b" of "a".
pickle::Ref find_path(pickle::Ref root, std::string_view key) {
  if (const pickle::Ref whole = find(root, key)) return whole;
  for (size_t dot = key.find('.'); dot != key.npos; dot = key.find('.', dot + 1)) {
    const pickle::Ref outer = find(root, key.substr(0, dot));
    if (outer != nullptr) return find_path(outer, key.substr(dot + 1));
  }
  return nullptr;
}

bool holds_tensors(pickle::Ref value) {
  const auto* dict = pickle::as<pickle::Dict>(value);
  return is_module(value) || (dict != nullptr && std::any_of(dict->items.begin(), dict->items.end(),
                                                             [](const auto& item) {
                                                               return makes_tensor(item.second);
                                                             }));
}

bool is_filled_dict(pickle::Ref value) {
  const auto* dict = pickle::as<pickle::Dict>(value);
  return dict != nullptr && !dict->items.empty();
}

/// No object that something would have to make.
bool is_plain(pickle::Ref value) {
  return pickle::as<pickle::None>(value) || pickle::as<bool>(value) || pickle::as<int64_t>(value) ||
         pickle::as<double>(value) || pickle::as<std::string>(value);
}

/// "a, b, c and 4 more"
std::string first_of(const std::set<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamed);
  const std::vector<std::string> first(names.begin(),
                                       std::next(names.begin(), std::ptrdiff_t(shown)));
  return fmt::format("{}{}", fmt::join(first, ", "),
                     names.size() > shown ? fmt::format(" and {} more", names.size() - shown) : "");
}

class Finder {
 public:
  Finder(const pickle::Pickle& pickle, const std::string& path, const std::string& key)
      : pickle_(pickle), path_(path), key_(key) {}

  StateDict run() {
    collect(key_.empty() ? choose() : chosen_by_key());
    return std::move(result_);
  }

 private:
  pickle::Ref chosen_by_key() const {
    const pickle::Ref found = find_path(pickle_.root, key_);
    require_file(found != nullptr && (holds_tensors(found) || is_filled_dict(found)), path_,
                 "'{}' {}{}", printable(key_),
                 found == nullptr ? "is not there" : "holds no tensors", others());
    return found;
  }

  pickle::Ref choose() {
    const char* present = nullptr;
    for (const auto& acceptable : {holds_tensors, is_filled_dict}) {
      for (const Entry& entry : kEntries) {
        const pickle::Ref value = find(pickle_.root, entry.name);
        if (value == nullptr) continue;
        present = entry.name;
        if (!acceptable(value)) continue;
        if (entry.averaged) {
          result_.notes.push_back(fmt::format(
              "the averaged weights are taken, '{}', not those of the last step", entry.name));
        }
        return value;
      }
      if (holds_tensors(pickle_.root)) return pickle_.root;
    }
    require_file(present == nullptr, path_, "'{}' is not a dict of tensors{}",
                 present == nullptr ? "" : present, others());
    return pickle_.root;
  }

  /// What --key could be.
  std::string others() const {
    std::set<std::string> names;
    if (const auto* root = pickle::as<pickle::Dict>(pickle_.root)) {
      for (const auto& [key, value] : root->items) {
        const auto* name = pickle::as<std::string>(key);
        if (name != nullptr && holds_tensors(value)) names.insert(printable(*name));
      }
    }
    return names.empty() ? "" : ": there are tensors under " + first_of(names) + " (--key)";
  }

  void collect(pickle::Ref chosen) {
    if (const auto* dict = pickle::as<pickle::Dict>(chosen)) return collect_dict(*dict);
    const auto* object = pickle::as<pickle::Call>(chosen);
    require_file(
        is_module(chosen), path_, "does not hold a dict of tensors{}: save model.state_dict()",
        object == nullptr ? "" : fmt::format(" but a {}", printable(object->function->name)));
    walk_module(chosen, path_,
                [&](const std::string& name, pickle::Ref value) { add(name, value); });
    require_file(!result_.entries.empty(), path_,
                 "holds a whole module, {}, without any tensor (frozen?): save model.state_dict()",
                 printable(object->function->name));
    result_.notes.push_back(
        fmt::format("holds a whole module, {}: its tensors are read, its code is not run",
                    printable(object->function->name)));
  }

  void collect_dict(const pickle::Dict& dict) {
    const bool tensors = std::any_of(dict.items.begin(), dict.items.end(),
                                     [](const auto& item) { return makes_tensor(item.second); });
    const std::string hint = tensors ? "" : others();
    std::set<std::string> passed_over;
    for (const auto& [key, value] : dict.items) {
      const auto* name = pickle::as<std::string>(key);
      require_file(name != nullptr, path_, "state dict has a key that is not a string{}", hint);
      require_file(hint.empty() || makes_tensor(value), path_, "entry '{}' is not a tensor{}",
                   printable(*name), hint);
      if (tensors && is_plain(value)) {
        passed_over.insert(printable(*name));
      } else {
        add(*name, value);
      }
    }
    if (!passed_over.empty()) {
      result_.notes.push_back(fmt::format("passed over, as no tensors: {}", first_of(passed_over)));
    }
    note_objects();
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
      if (call != nullptr && !makes_tensor(&value)) names.insert(printable(call->function->name));
    }
    if (names.empty()) return;
    result_.notes.push_back(fmt::format(
        "objects beside the weights are passed over, nothing of them is run: {}", first_of(names)));
  }

  const pickle::Pickle& pickle_;
  const std::string& path_;
  const std::string& key_;
  StateDict result_;
};

}  // namespace

StateDict find_state_dict(const pickle::Pickle& pickle, const std::string& path,
                          const std::string& key) {
  return Finder(pickle, path, key).run();
}

}  // namespace edgeprune
