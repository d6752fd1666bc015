#include "settings.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

namespace baryon {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open(const char* path) { return File(std::fopen(path, "r"), std::fclose); }

// A positive number from the environment, or 0.
double positive(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  const double value = std::strtod(text, nullptr);
  return value > 0 ? value : 0;
}

int affinity() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Processors that the control group's quota pays for (v2, then v1), or a large number.
double quota() {
  double limit = 0, period = 0;
  if (const File file = open("/sys/fs/cgroup/cpu.max")) {
    if (std::fscanf(file.get(), "%lf %lf", &limit, &period) == 2 && period > 0) {
      return limit / period;
    }
    return 1e9;
  }
  const File v1 = open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const File v1_period = open("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (v1 && v1_period && std::fscanf(v1.get(), "%lf", &limit) == 1 &&
      std::fscanf(v1_period.get(), "%lf", &period) == 1 && limit > 0 && period > 0) {
    return limit / period;
  }
  return 1e9;
}

double memory_limit() {
  double limit = 0;
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const File file = open(path);
    if (file && std::fscanf(file.get(), "%lf", &limit) == 1 && limit > 0) return limit;
  }
  return 1e18;
}

}  // namespace

int default_threads() {
  for (const char* name : {"BARYON_NUM_THREADS", "MXNET_CPU_WORKER_NTHREADS", "OMP_NUM_THREADS"}) {
    const double asked = positive(name);
    if (asked >= 1) return static_cast<int>(std::min(asked, 256.0));
  }
  return std::max(1, static_cast<int>(std::min<double>(affinity(), std::ceil(quota()))));
}

std::size_t default_cache_bytes() {
  if (std::getenv("BARYON_CACHE_BYTES") != nullptr) {
    return static_cast<std::size_t>(std::min(positive("BARYON_CACHE_BYTES"), 1e18));
  }
#ifdef __SANITIZE_ADDRESS__
  return 0;  // a block handed out again would hide its misuse
#endif
  const double machine = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return static_cast<std::size_t>(std::min(machine, memory_limit()) / 4);
}

}  // namespace baryon
