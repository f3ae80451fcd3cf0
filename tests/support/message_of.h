#pragma once

#include <string>

namespace edgeprune::testing {

inline constexpr const char* kNothingThrown = "nothing thrown";

/// What an action throws as an Error says; kNothingThrown if it throws nothing.
template <typename Error, typename Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return kNothingThrown;
}

}  // namespace edgeprune::testing
