#pragma once
// The tensors of a module that was saved whole, with none of its code.

#include <functional>
#include <string>

#include "models/pth/pickle.h"

namespace edgeprune {

/// Whether it has what torch.nn.Module keeps, or TorchScript of one.
bool is_module(pickle::Ref value);

using VisitTensor = std::function<void(const std::string& name, pickle::Ref value)>;

/// Calls `visit` with the parameters and buffers of a module and of all inside it, under the names that
/// state_dict() gives them. Throws FileError if modules hold each other or are too many.
void walk_module(pickle::Ref module, const std::string& path, const VisitTensor& visit);

}  // namespace edgeprune
