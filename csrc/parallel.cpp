// The thread pool: a list of running jobs from which threads take chunks.
//
// A caller puts its job on the list, works on it, and leaves when no helper is inside. Helpers look
// for work for a short time, then sleep until a job arrives; a busy processor therefore costs its
// share of the work and never a barrier. Any number of threads may have jobs on the list at once.
#include "parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "settings.h"

namespace baryon {
namespace {

constexpr int kMaxThreads = 256;
constexpr int kChunksPerThread = 4;  // so that a slow thread holds up at most a part of its share
constexpr auto kAlone = std::chrono::microseconds(40);  // looking; then others may run first
constexpr auto kLook = std::chrono::microseconds(500);  // before a thread goes to sleep

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether `done()` became true within the time that a thread may spend looking. Between programs
// that Python calls lie some 50 to 300 us, with metrics and batches: who sleeps through them is
// woken in 50 us, a tenth of a small network's step.
template <class Done>
bool look(const Done& done) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  for (Clock::duration spent{0}; spent < kLook; spent = Clock::now() - begin) {
    if (spent > kAlone) std::this_thread::yield();
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      relax();
    }
  }
  return false;
}

struct Job {
  RangeFn body;
  void* context;
  std::int64_t count;
  std::int64_t chunk, longer;  // items of a chunk; the first `longer` chunks have one more
  int places;                  // helpers that may still join; guarded by the pool's mutex
  Job* next = nullptr;         // in the pool's list; guarded by the pool's mutex
  std::atomic<int> helpers{0};
  std::atomic<bool> failed{false};

  // Chunks of each thread: it takes its own first, the same in every job of this size, whose data
  // its caches may still hold from the operator before; then those that others have not begun.
  struct alignas(64) Share {
    std::atomic<std::int64_t> next;
    std::int64_t end;
  };
  Share shares[kMaxThreads];
  int parts;

  // As even as can be, unless that makes chunks of fewer than `grain` items.
  Job(RangeFn run, void* with, std::int64_t items, std::int64_t grain, std::int64_t chunks,
      int threads)
      : body(run), context(with), count(items), places(threads - 1), parts(threads) {
    const bool even = count / chunks >= grain;
    chunk = even ? count / chunks : (count + chunks - 1) / chunks;
    longer = even ? count % chunks : 0;
    const std::int64_t all = even ? chunks : (count + chunk - 1) / chunk;
    for (int i = 0; i < parts; ++i) {
      shares[i].next = all * i / parts;
      shares[i].end = all * (i + 1) / parts;
    }
  }

  bool open() const {
    return !failed && std::any_of(shares, shares + parts, [](const Share& share) {
      return share.next.load(std::memory_order_relaxed) < share.end;
    });
  }

  void work(int thread) {
    try {
      for (int i = 0; i < parts; ++i) take(shares[(thread + i) % parts]);
    } catch (...) {  // only memory can run out in a kernel
      failed = true;
    }
  }

 private:
  std::int64_t start_of(std::int64_t index) const {
    return std::min(index * chunk + std::min(index, longer), count);
  }

  void take(Share& share) {
    while (!failed) {
      const std::int64_t index = share.next.fetch_add(1, std::memory_order_relaxed);
      if (index >= share.end) return;
      body(context, start_of(index), start_of(index + 1));
    }
  }
};

thread_local bool inside = false;  // a parallel_ranges call or a helper's work is below us

class Pool {
 public:
  void run(Job& job) {
    publish(job);
    job.work(0);
    withdraw(job);
    const auto alone = [&job] { return job.helpers.load(std::memory_order_acquire) == 0; };
    while (!look(alone)) {
      const std::uint32_t seen = departures_.load(std::memory_order_acquire);
      if (!alone()) departures_.wait(seen, std::memory_order_acquire);
    }
  }

  std::mutex mutex;  // guards the list, and is held across fork

 private:
  void publish(Job& job) {
    const std::lock_guard lock(mutex);
    while (started_ < job.places && start()) {
    }
    job.next = jobs_;
    jobs_ = &job;
    arrivals_.fetch_add(1, std::memory_order_release);
    if (job.places == 1) {
      arrivals_.notify_one();
    } else {
      arrivals_.notify_all();
    }
  }

  void withdraw(Job& job) {
    const std::lock_guard lock(mutex);
    for (Job** at = &jobs_; *at != nullptr; at = &(*at)->next) {
      if (*at == &job) {
        *at = job.next;
        return;
      }
    }
  }

  bool start() {
    try {
      std::thread([this, number = started_ + 1] { serve(number); }).detach();
    } catch (const std::system_error&) {  // the system refuses another thread: do with fewer
      return false;
    }
    ++started_;
    return true;
  }

  [[noreturn]] void serve(int number) {
    inside = true;
    for (;;) {
      const std::uint32_t seen = arrivals_.load(std::memory_order_acquire);
      while (Job* job = join()) {
        job->work(number);
        leave(*job);
      }
      const auto arrived = [&] { return arrivals_.load(std::memory_order_acquire) != seen; };
      if (!look(arrived)) arrivals_.wait(seen, std::memory_order_acquire);
    }
  }

  Job* join() {
    const std::lock_guard lock(mutex);
    for (Job* job = jobs_; job != nullptr; job = job->next) {
      if (job->places > 0 && job->open()) {
        --job->places;
        job->helpers.fetch_add(1, std::memory_order_relaxed);
        return job;
      }
    }
    return nullptr;
  }

  // The job lives on its caller's stack and may be gone once its last helper is counted out.
  void leave(Job& job) {
    if (job.helpers.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    departures_.fetch_add(1, std::memory_order_release);
    departures_.notify_all();
  }

  Job* jobs_ = nullptr;
  int started_ = 0;
  std::atomic<std::uint32_t> arrivals_{0};
  std::atomic<std::uint32_t> departures_{0};
};

std::atomic<int> threads{0};

// Never freed: its threads use it until the process ends. A forked child starts a new one, for the
// threads of the old one do not exist there.
Pool* pool = nullptr;

void make_pool() {
  pool = new Pool;
  pthread_atfork([] { pool->mutex.lock(); }, [] { pool->mutex.unlock(); }, [] { pool = new Pool; });
}

Pool& the_pool() {
  static std::once_flag once;
  std::call_once(once, make_pool);
  return *pool;
}

}  // namespace

int num_threads() {
  const int count = threads.load(std::memory_order_relaxed);
  if (count > 0) return count;
  const int first = std::clamp(default_threads(), 1, kMaxThreads);
  threads.store(first, std::memory_order_relaxed);
  return first;
}

void set_num_threads(int count) { threads = std::clamp(count, 1, kMaxThreads); }

bool in_parallel() { return inside; }

void parallel_ranges(std::int64_t count, std::int64_t grain, RangeFn body, void* context) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t most = (count + grain - 1) / grain;
  const std::int64_t limit = inside ? 1 : std::min<std::int64_t>(num_threads(), most);
  if (limit == 1) {
    body(context, 0, count);
    return;
  }
  const std::int64_t chunks = std::min<std::int64_t>(most, limit * kChunksPerThread);
  Job job(body, context, count, grain, chunks, static_cast<int>(limit));
  inside = true;
  the_pool().run(job);
  inside = false;
  if (job.failed) throw std::bad_alloc();
}

}  // namespace baryon
