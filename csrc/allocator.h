// The caching allocator under every CPU buffer. `allocate` and `release` are in parallel.h.
#pragma once

#include <cstddef>

namespace baryon {

// As malloc, calloc and realloc of C, except for 64-byte alignment; null when memory runs out.
void* try_allocate(std::size_t bytes) noexcept;
void* try_allocate_zeroed(std::size_t bytes) noexcept;
void* try_reallocate(void* pointer, std::size_t bytes) noexcept;

// Lets go of the pages of memory that is all zeros: they come again, as zeros, when they are
// touched.
void forget_zeros(void* pointer, std::size_t bytes) noexcept;

// As `allocate`, for memory that stays: that one gives kernels their scratch, and may give far
// more.
void* allocate_to_keep(std::size_t bytes);

// Bytes of released blocks kept for reuse, except by other threads for themselves.
std::size_t cached_bytes();
std::size_t cache_limit();
// Gives all of them back to the system, except what other threads keep for themselves.
void release_cache();

}  // namespace baryon
