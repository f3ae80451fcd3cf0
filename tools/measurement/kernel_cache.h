#pragma once

#include <functional>
#include <map>
#include <string>

#include "engine/inference/kernel_choices.h"

namespace edgeprune {

/// The times that the engine `auto` has measured on this machine: read when they are first asked for,
/// as the file may be megabytes, from kernels.json in $XDG_CACHE_HOME/edgeprune (~/.cache/edgeprune), where they stand by CPU, instruction set and build.
/// A file that cannot be read counts as empty, and so does an entry of another form.
inference::KernelChoices& kernel_choices();

/// Who is told what is going to be timed (KernelChoices::progress).
void tell_what_is_timed(std::function<void(const std::string&)> progress);

/// The best rates that were ever seen on this machine ("L2, 2 threads", in GB/s; see limits.h), kept
/// in the same file.
std::map<std::string, double>& best_rates();

/// Writes what was added; a place that cannot be written to is none of the user's business. To be
/// called before a command ends.
void save_kernel_choices();

/// From now on all times are taken anew (and saved).
void forget_kernel_choices();

}  // namespace edgeprune
