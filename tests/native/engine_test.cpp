// Checks of the engine without Python: `engine_test NAME` runs one, and aborts where it fails.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "allocator.h"
#include "gemm.h"
#include "parallel.h"
#include "registry.h"

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

// Products run without kernel families here.
const baryon::Kernel* baryon::find_kernel(const std::string&) { return nullptr; }

namespace {

using baryon::allocate;
using baryon::parallel_for;
using baryon::release;

// ---- pool -------------------------------------------------------------------------------------

// Every item of [0, count) is visited once, in chunks of at least `grain`.
void visit_once(std::int64_t count, std::int64_t grain) {
  std::vector<std::atomic<int>> visits(count);
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    CHECK(begin < end && end <= count);
    CHECK(end - begin >= std::min(grain, count) || end == count);
    for (std::int64_t i = begin; i < end; ++i) ++visits[i];
  });
  for (const auto& v : visits) CHECK(v == 1);
}

void coverage() {
  for (const int threads : {1, 2, 3, 8}) {
    baryon::set_num_threads(threads);
    CHECK(baryon::num_threads() == threads);
    for (const std::int64_t count : {0, 1, 7, 64, 1000, 100003})
      for (const std::int64_t grain : {0, 1, 3, 100, 1000000}) visit_once(count, grain);
  }
}

void several_threads_work() {
  baryon::set_num_threads(4);
  std::atomic<int> present{0};
  std::atomic<bool> met{false};
  parallel_for(16, 1, [&](std::int64_t, std::int64_t) {
    ++present;
    for (int i = 0; i < 2000 && !met; ++i) {
      if (present >= 2) met = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  CHECK(met);
}

void nesting() {
  baryon::set_num_threads(4);
  CHECK(!baryon::in_parallel());
  std::atomic<int> total{0};
  parallel_for(8, 1, [&](std::int64_t begin, std::int64_t end) {
    CHECK(baryon::in_parallel());
    for (std::int64_t i = begin; i < end; ++i) {
      const auto outer = std::this_thread::get_id();
      parallel_for(100, 1, [&](std::int64_t from, std::int64_t to) {
        CHECK(std::this_thread::get_id() == outer);
        total += static_cast<int>(to - from);
      });
    }
  });
  CHECK(total == 800);
  CHECK(!baryon::in_parallel());
}

void many_callers() {
  baryon::set_num_threads(3);
  std::vector<std::thread> callers;
  for (int t = 0; t < 6; ++t) {
    callers.emplace_back([t] {
      for (int i = 0; i < 300; ++i) visit_once(100 + 37 * t + i, 1 + i % 5);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

void sleeping_pool_wakes() {
  baryon::set_num_threads(3);
  for (int i = 0; i < 20; ++i) {
    visit_once(1000, 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
}

void out_of_memory_reaches_the_caller() {
  baryon::set_num_threads(4);
  for (const std::int64_t count : {1, 1000}) {
    bool caught = false;
    try {
      parallel_for(count, 1, [](std::int64_t, std::int64_t) { throw std::bad_alloc(); });
    } catch (const std::bad_alloc&) {
      caught = true;
    }
    CHECK(caught);
  }
  visit_once(1000, 1);
}

int in_child(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    body();
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  return status;
}

void fork_keeps_working() {
  baryon::set_num_threads(3);
  visit_once(1000, 1);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) {
      visit_once(500, 1);
      release(allocate(1000));
      release(allocate(300000));
    }
  });
  for (int i = 0; i < 10; ++i) {
    CHECK(in_child([] {
            visit_once(10000, 1);
            release(allocate(1000));
            release(allocate(300000));
          }) == 0);
    visit_once(1000, 1);
  }
  stop = true;
  busy.join();
}

// ---- allocator --------------------------------------------------------------------------------

void sizes_and_alignment() {
  for (std::size_t bytes = 0; bytes < 70000; bytes += bytes / 7 + 1) {
    void* pointer = allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(pointer) % 64 == 0);
    std::memset(pointer, 1, bytes);
    release(pointer);
  }
  for (const std::size_t bytes : {100000u, 2097151u, 2097152u, 2097153u, 50000000u}) {
    void* pointer = allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(pointer) % 64 == 0);
    std::memset(pointer, 1, bytes);
    release(pointer);
  }
  release(nullptr);
}

void blocks_are_reused() {
  for (const std::size_t bytes : {24u, 5000u, 60000u, 500000u, 6000000u}) {
    void* first = allocate(bytes);
    release(first);
    CHECK(allocate(bytes) == first);
    void* second = allocate(bytes);
    CHECK(second != first);
    release(first);
    release(second);
  }
}

void live_blocks_keep_apart() {
  std::mt19937 random(1);
  std::vector<std::pair<unsigned char*, std::size_t>> live;
  for (int i = 0; i < 20000; ++i) {
    if (live.size() < 200 || random() % 2 == 0) {
      const std::size_t bytes = random() % (random() % 50 == 0 ? 3000000 : 3000) + 1;
      auto* pointer = static_cast<unsigned char*>(allocate(bytes));
      pointer[0] = pointer[bytes - 1] = static_cast<unsigned char>(live.size());
      live.emplace_back(pointer, bytes);
    } else {
      const auto [pointer, bytes] = live.back();
      live.pop_back();
      CHECK(pointer[0] == pointer[bytes - 1]);
      CHECK(bytes == 1 || pointer[0] == static_cast<unsigned char>(live.size()));
      release(pointer);
    }
  }
  for (const auto& [pointer, bytes] : live) release(pointer);
}

void zeroed() {
  for (const std::size_t bytes : {1u, 1000u, 100000u, 8000000u}) {
    for (int i = 0; i < 3; ++i) {
      auto* pointer = static_cast<unsigned char*>(baryon::try_allocate_zeroed(bytes));
      for (std::size_t b = 0; b < bytes; ++b) CHECK(pointer[b] == 0);
      std::memset(pointer, 255, bytes);
      release(pointer);
    }
  }
}

void reallocation() {
  unsigned char* pointer = nullptr;
  std::size_t had = 0;
  for (const std::size_t bytes : {10u, 64u, 65u, 3000u, 100000u, 5000000u, 20u}) {
    pointer = static_cast<unsigned char*>(baryon::try_reallocate(pointer, bytes));
    CHECK(pointer != nullptr);
    for (std::size_t i = 0; i < std::min(had, bytes); ++i) CHECK(pointer[i] == i % 251);
    for (std::size_t i = 0; i < bytes; ++i) pointer[i] = static_cast<unsigned char>(i % 251);
    had = bytes;
  }
  release(pointer);
}

void impossible_sizes() {
  CHECK(baryon::try_allocate(~std::size_t{0}) == nullptr);
  CHECK(baryon::try_allocate(std::size_t{1} << 50) == nullptr);
  CHECK(baryon::try_reallocate(nullptr, ~std::size_t{0}) == nullptr);
  bool caught = false;
  try {
    allocate(~std::size_t{0} - 100);
  } catch (const std::bad_alloc&) {
    caught = true;
  }
  CHECK(caught);
}

void cache_is_bounded() {
  const std::size_t limit = baryon::cache_limit();
  CHECK(limit == 8u << 20);  // as the test's environment says
  std::vector<void*> blocks;
  for (int i = 0; i < 64; ++i) blocks.push_back(allocate(1000000 + 10000 * i));
  for (void* block : blocks) release(block);
  CHECK(baryon::cached_bytes() <= limit);
  CHECK(baryon::cached_bytes() > limit / 2);
  release(allocate(100));
  baryon::release_cache();
  CHECK(baryon::cached_bytes() == 0);
}

void scratch_leaves_one_block() {
  baryon::release_cache();
  const std::size_t step = 300000, most = 8 * step;
  for (std::size_t bytes = step; bytes <= most; bytes += step) release(allocate(bytes));
  const std::size_t kept = baryon::cached_bytes();
  CHECK(kept < most + most / 4);  // not the sum of all sizes; a class is up to an eighth larger
  if (kept > 0) CHECK(kept >= most);
  void* smaller = allocate(step);  // takes what is there, however large
  CHECK(baryon::cached_bytes() == 0);
  release(smaller);
  baryon::release_cache();
}

void threads_share() {
  std::vector<std::thread> threads;
  std::vector<std::atomic<void*>> mailbox(64);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&mailbox, t] {  // most blocks are released by another thread
      std::mt19937 random(t);
      for (int i = 0; i < 20000; ++i) {
        const std::size_t bytes = random() % 20 == 0 ? 200000 : random() % 2000;
        void* block = allocate(bytes);
        std::memset(block, t, bytes);
        release(mailbox[random() % mailbox.size()].exchange(block));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& place : mailbox) release(place);
}

// ---- products ---------------------------------------------------------------------------------

template <class T>
void product(bool ta, bool tb, int m, int n, int k, T alpha, T beta) {
  const int lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
  std::mt19937 random(m * 31 + n * 7 + k);
  std::normal_distribution<T> normal;
  std::vector<T> a((ta ? k : m) * lda), b((tb ? n : k) * ldb), c(m * ldc);
  for (auto* values : {&a, &b, &c})
    for (T& value : *values) value = normal(random);
  if (beta == 0)
    for (T& value : c) value = NAN;  // must not be read
  std::vector<T> expected = c;
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int l = 0; l < k; ++l) {
        sum += static_cast<double>(ta ? a[l * lda + i] : a[i * lda + l]) *
               (tb ? b[j * ldb + l] : b[l * ldb + j]);
      }
      expected[i * ldc + j] = static_cast<T>(alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j]));
    }
  }
  baryon::gemm(ta, tb, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
  const double tolerance = (sizeof(T) == 4 ? 2e-5 : 1e-12) * (1 + std::sqrt(k));
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j)
      CHECK(std::abs(c[i * ldc + j] - expected[i * ldc + j]) <= tolerance);
}

void products() {
  baryon::set_num_threads(3);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const auto& [m, n, k] : {std::array{1, 1, 1},
                                    {0, 5, 3},
                                    {4, 0, 2},
                                    {5, 6, 0},
                                    {17, 9, 33},
                                    {200, 70, 50},
                                    {60, 300, 64},
                                    {8, 8, 5000}}) {
        product<float>(ta, tb, m, n, k, 1, 0);
        product<float>(ta, tb, m, n, k, 0.5, 2);
        product<double>(ta, tb, m, n, k, 1, 0);
        product<double>(ta, tb, m, n, k, -1, 1);
      }
    }
  }
}

const std::map<std::string, void (*)()> checks = {
    {"coverage", coverage},
    {"several_threads_work", several_threads_work},
    {"nesting", nesting},
    {"many_callers", many_callers},
    {"sleeping_pool_wakes", sleeping_pool_wakes},
    {"out_of_memory_reaches_the_caller", out_of_memory_reaches_the_caller},
    {"fork_keeps_working", fork_keeps_working},
    {"sizes_and_alignment", sizes_and_alignment},
    {"blocks_are_reused", blocks_are_reused},
    {"live_blocks_keep_apart", live_blocks_keep_apart},
    {"zeroed", zeroed},
    {"reallocation", reallocation},
    {"impossible_sizes", impossible_sizes},
    {"cache_is_bounded", cache_is_bounded},
    {"scratch_leaves_one_block", scratch_leaves_one_block},
    {"threads_share", threads_share},
    {"products", products},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {
    for (const auto& [name, check] : checks) std::printf("%s\n", name.c_str());
    return 0;
  }
  const auto found = checks.find(argv[1]);
  if (found == checks.end()) return 2;
  if (argc > 2) baryon::set_blas_path(argv[2]);
  found->second();
  return 0;
}
