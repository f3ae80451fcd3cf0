#pragma once
// Where among a checkpoint's objects the weights are.

#include <map>
#include <string>
#include <vector>

#include "models/pth/pickle.h"

namespace edgeprune {

struct StateDict {
  /// The values are for the caller to read as tensors.
  std::map<std::string, pickle::Ref> entries;
  std::vector<std::string> notes;  ///< what was chosen, and what was passed over, for people
};

/// Looks for a dict of weights: under 'state_dict_ema' (averaged over training steps, and therefore
/// preferred), 'state_dict', 'model_state_dict' or 'model', else at the root. In place of a dict
/// there may be a whole torch.nn.Module, whose stored parameters and buffers are taken. Throws
/// FileError if there is none.
StateDict find_state_dict(const pickle::Pickle& pickle, const std::string& path);

/// "torch._utils._rebuild_tensor_v2" and the like: the calls that make tensors.
bool makes_tensors(const std::string& global);

}  // namespace edgeprune
