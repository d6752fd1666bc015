// What memory gives: bytes a second of bare loops that read, write, or copy large arrays, each half
// of them on a thread of its own; the best of plain and streaming stores.
//
// Usage: yardstick THREADS MEGABYTES ROUNDS; prints JSON. Compiled for the machine it runs on.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

constexpr std::size_t kPage = 2 << 20, kLine = 64;
typedef float Line __attribute__((vector_size(kLine), may_alias));

char* allocate(std::size_t bytes) {
  char* found = static_cast<char*>(std::aligned_alloc(kPage, bytes));
  if (found == nullptr) std::abort();
#if defined(__linux__)
  madvise(found, bytes, MADV_HUGEPAGE);
#endif
  std::memset(found, 0, bytes);
  return found;
}

float sink;

void read(const char* from, std::size_t bytes) {
  Line sum[8] = {};
  for (std::size_t i = 0; i < bytes; i += sizeof sum)
    for (int k = 0; k < 8; ++k) sum[k] += *reinterpret_cast<const Line*>(from + i + k * kLine);
  for (const Line& s : sum) reinterpret_cast<volatile float&>(sink) = s[0];
}

void stream(char* to, const Line& line) {
#if defined(__AVX512F__)
  _mm512_stream_ps(reinterpret_cast<float*>(to), line);
#elif defined(__SSE2__)
  const __m128* part = reinterpret_cast<const __m128*>(&line);
  for (int k = 0; k < 4; ++k) _mm_stream_ps(reinterpret_cast<float*>(to) + 4 * k, part[k]);
#else
  std::memcpy(to, &line, kLine);
#endif
}

void stream_end() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

void copy(char* to, const char* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += kLine) {
    __builtin_prefetch(from + i + 2048);
    stream(to + i, *reinterpret_cast<const Line*>(from + i));
  }
  stream_end();
}

void fill(char* to, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += kLine) stream(to + i, Line{});
  stream_end();
}

// Bytes a second of job(thread), which moves `bytes` on all threads: the median of the rounds.
double rate(int threads, int rounds, std::size_t bytes, const std::function<void(int)>& job) {
  using Clock = std::chrono::steady_clock;
  std::barrier together(threads);
  std::vector<double> seconds;
  const auto work = [&](int thread) {
    for (int r = 0; r < rounds; ++r) {
      together.arrive_and_wait();
      const auto begin = Clock::now();
      job(thread);
      together.arrive_and_wait();
      if (thread == 0) seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(work, t);
  work(0);
  for (std::thread& t : others) t.join();
  std::nth_element(seconds.begin(), seconds.begin() + rounds / 2, seconds.end());
  return static_cast<double>(bytes) / seconds[static_cast<std::size_t>(rounds / 2)];
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  const int threads = std::max(1, std::atoi(words[1])), rounds = std::max(1, std::atoi(words[3]));
  const std::size_t part = static_cast<std::size_t>(std::atoi(words[2])) * (1 << 20) / threads;
  const std::size_t share = part / 4096 * 4096, bytes = share * threads;
  char *from = allocate((bytes / kPage + 1) * kPage), *to = allocate((bytes / kPage + 1) * kPage);
  const auto run = [&](double moved, const auto& job) {
    return rate(threads, rounds, static_cast<std::size_t>(moved * bytes),
                [&](int t) { job(from + t * share, to + t * share); });
  };
  const double reading = run(1, [&](char* x, char*) { read(x, share); });
  const double streamed = run(2, [&](char* x, char* y) { copy(y, x, share); });
  const double plain = run(2, [&](char* x, char* y) { std::memcpy(y, x, share); });
  const double past = run(1, [&](char*, char* y) { fill(y, share); });
  const double set = run(1, [&](char*, char* y) { std::memset(y, 1, share); });
  std::printf("{\"read\": %.6g, \"copy\": %.6g, \"fill\": %.6g}\n", reading,
              std::max(streamed, plain), std::max(past, set));
}
