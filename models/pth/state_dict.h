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

/// Looks for a dict of weights: at `key` (an entry's name, or names from the outside inwards, put together
/// by dots), or, if that is empty, under 'state_dict_ema' or 'model_ema' (averaged over training steps, and
/// therefore preferred), 'state_dict', 'model_state_dict', 'model' or 'net', else at the root. Plain numbers
/// and texts among the tensors are passed over. In place of a dict there may be a whole torch.nn.Module or
/// one of TorchScript, whose stored parameters and buffers are taken. Throws FileError if there is none.
StateDict find_state_dict(const pickle::Pickle& pickle, const std::string& path,
                          const std::string& key = "");

}  // namespace edgeprune
