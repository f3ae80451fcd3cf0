#pragma once
// Threads that stay on their cores while they are timed.

#include <string>

namespace edgeprune {

/// If OpenMP binds its threads, because the user wants it (OMP_PROC_BIND) or by pin_threads(), ours
/// get the same places. It has bound the first thread then, and all that this one makes would share
/// its core. To be called before anything else was done.
void adopt_openmp_places();

/// Binds every thread, ours and oneDNN's, to a core of its own. oneDNN's are OpenMP's, which reads
/// how to bind (OMP_PROC_BIND, OMP_PLACES) only when the program starts, so the program is started
/// anew with the same arguments, once. (Calls of sched_setaffinity() would not last: OpenMP ends
/// and replaces threads whenever a kernel asks for fewer, and a new thread inherits the first one's
/// core.) The user's own places stay where those variables were set. To be called before anything
/// else was done. Throws std::runtime_error if OpenMP does not bind.
void pin_threads();

/// The cores that `threads` threads are bound to, in their order: "0,1"; "none" if they are free.
std::string pinned_cores(int threads);

}  // namespace edgeprune
