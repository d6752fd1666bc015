// The thread pool and scratch memory that kernels use. Safe across fork.
//
// The one exception that may pass through is std::bad_alloc: parallel_ranges carries it from the
// pool's threads to its caller.
#pragma once

#include <cstddef>
#include <cstdint>

namespace baryon {

// Threads that a parallel_for may use, the caller included.
int num_threads();
void set_num_threads(int count);
// Whether the caller runs inside a parallel_for, where another one runs serially.
bool in_parallel();

using RangeFn = void (*)(void* context, std::int64_t begin, std::int64_t end);

// Calls body over [0, count) cut into chunks of at least `grain` items, taken dynamically by the
// pool's threads; runs on the caller alone when there is one chunk or inside another parallel_for.
void parallel_ranges(std::int64_t count, std::int64_t grain, RangeFn body, void* context);

template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  parallel_ranges(
      count, grain,
      [](void* context, std::int64_t begin, std::int64_t end) {
        (*static_cast<const Body*>(context))(begin, end);
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// Memory from the caching allocator, 64-byte aligned, freed with release(pointer) (which ignores
// null); std::bad_alloc when there is none left.
void* allocate(std::size_t bytes);
void release(void* pointer);

// Scratch of a kernel call, from the caching allocator.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)  // not cleared
      : data_(static_cast<T*>(allocate(static_cast<std::size_t>(count) * sizeof(T)))) {}
  ~Scratch() { release(data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* get() const { return data_; }

 private:
  T* data_;
};

}  // namespace baryon
