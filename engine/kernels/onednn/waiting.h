#pragma once

namespace edgeprune::onednn {

/// oneDNN's threads are OpenMP's, which spin for milliseconds wherever they wait and so take the
/// cores from everybody else, our own threads included (engine/base/thread_pool.h). This makes them
/// spin about as briefly as ours. GNU's OpenMP reads how long (GOMP_SPINCOUNT) only when the
/// program starts, so the program is started anew; but not if the user has decided (OMP_WAIT_POLICY
/// or GOMP_SPINCOUNT). To be called first in main().
void wait_briefly();

/// The environment variable that does it: so many looks, each with a pause, some 20 to 50
/// microseconds.
inline constexpr char kWaitBriefly[] = "GOMP_SPINCOUNT=1000";

/// Any of these, and nothing is changed. Threads bound to places: the program started anew would
/// have the first one's place alone.
inline constexpr const char* kWaitingDecided[] = {
    "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"};

}  // namespace edgeprune::onednn
