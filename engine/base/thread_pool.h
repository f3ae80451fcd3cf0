#pragma once
// The threads behind parallel_for (parallel.h): made once, kept, and ready for the next piece of
// work within microseconds, without taking the processor from others for long.
//
// Where a machine has other work to do, threads that wait for each other by spinning, as OpenMP's
// do, burn the very cores that the awaited ones need, and a barrier waits for a thread that has not
// even begun. Here who waits spins for microseconds (how many: worker_spin.h) and then sleeps; and
// whoever is free, the caller too, takes the next piece, so that only a piece that somebody has
// begun is ever waited for.

#include <chrono>
#include <vector>

namespace edgeprune {

/// How long the caller spins for the last pieces, which others have begun, before it sleeps.
inline constexpr std::chrono::microseconds kCallerSpin{50};

/// Work that comes in numbered pieces. `run` must not throw.
struct PiecewiseWork {
  void (*run)(void* context, int piece);
  void* context;
  int pieces;
};

/// Runs every piece once, on the calling thread and at most threads - 1 others, and returns when
/// all have ended. Pieces 0 to threads - 1 go to a thread of their own, always the same one, whose
/// caches may still hold its part of the data, unless it is late; the others to whoever is free, in
/// order. Called from within a piece, or while another thread's work occupies the pool, it runs all
/// pieces on the calling thread.
void run_pieces(const PiecewiseWork& work, int threads);

/// The calling thread's number among those of the pool; 0 for a thread that is not one of them.
int thread_index();

/// Whether the calling thread is at work on a piece, beside others.
bool is_within_a_piece();

/// Binds the calling thread to the processors places[0], and the pool's thread t to those of
/// places[t % places.size()] when it is made: to be called before the first parallel work. Throws
/// std::system_error if the system refuses the calling thread's place.
void bind_threads(std::vector<std::vector<int>> places);

}  // namespace edgeprune
