#pragma once

namespace edgeprune::onednn {

/// oneDNN's threads are OpenMP's, which spin for milliseconds wherever they wait and so take the
/// cores from everybody else, our own threads included (engine/base/thread_pool.h). This makes them
/// spin about as briefly as ours. GNU's OpenMP reads how long (GOMP_SPINCOUNT) only when the
/// program starts, so the program is started anew; but not if the user has decided (OMP_WAIT_POLICY
/// or GOMP_SPINCOUNT). To be called first in main().
void wait_briefly();

}  // namespace edgeprune::onednn
