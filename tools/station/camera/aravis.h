#pragma once
// Aravis' objects and errors as C++ has them.

#include <arv.h>

#include <memory>
#include <string>
#include <utility>

#include "engine/base/check.h"

namespace edgeprune::station {

struct Unreference {
  void operator()(void* object) const { g_object_unref(object); }
};
template <typename Object>
using Owned = std::unique_ptr<Object, Unreference>;

/// Calls an Aravis function, whose last argument is where its error goes, and throws FileError("camera NAME: what:
/// why") for one.
template <typename Function, typename... Args>
auto checked(const std::string& camera, const char* what, Function function, Args... args) {
  GError* error = nullptr;
  const auto check = [&] {
    if (error == nullptr) return;
    const std::string why = error->message;
    g_clear_error(&error);
    require_file(false, "camera " + camera, "{}: {}", what, why);
  };
  if constexpr (std::is_void_v<decltype(function(args..., &error))>) {
    function(args..., &error);
    check();
  } else {
    auto result = function(args..., &error);
    check();
    return result;
  }
}

}  // namespace edgeprune::station
