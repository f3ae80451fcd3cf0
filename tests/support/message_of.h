#pragma once

#include <string>

namespace edgeprune::testing {

/// What an action throws as an Error says; "nothing thrown" if it throws nothing.
template <typename Error, typename Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

}  // namespace edgeprune::testing
