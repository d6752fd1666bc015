// What the environment and the machine say about threads and memory.
#pragma once

#include <cstddef>

namespace baryon {

// BARYON_NUM_THREADS, MXNET_CPU_WORKER_NTHREADS or OMP_NUM_THREADS, else the processors that
// affinity and the control group allow.
int default_threads();
// BARYON_CACHE_BYTES, else a quarter of the memory.
std::size_t default_cache_bytes();

}  // namespace baryon
