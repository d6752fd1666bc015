// What kernels share that only move elements: they know an element by its size in bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "../kernel.h"
#include "../parallel.h"
#include "half.h"

namespace baryon::BARYON_ISA {

// Bytes that make a chunk worth another thread.
constexpr std::int64_t kChunkBytes = 1 << 16;

// Calls body(T{}) with the unsigned integer T of an element's size.
template <class Body>
void by_size(DType dtype, const Body& body) {
  switch (item_size(dtype)) {
    case 8:
      return body(std::uint64_t{});
    case 4:
      return body(std::uint32_t{});
    case 2:
      return body(std::uint16_t{});
    default:
      return body(std::uint8_t{});
  }
}

inline std::int64_t integer(double value) { return static_cast<std::int64_t>(value); }

// Whether a parameter is an integer in [low, high].
inline bool is_integer(double value, double low, double high) {
  return value >= low && value <= high && value == static_cast<double>(integer(value));
}

// A number as the bits of an element, in the low bytes of the result.
inline std::uint64_t encode(double value, DType dtype) {
  const auto cut = [&] {  // towards zero, saturated; NaN is 0
    if (!(value == value)) return std::int64_t{0};
    return static_cast<std::int64_t>(std::min(std::max(value, -0x1p63), 0x1.fffffffffffffp62));
  };
  switch (dtype) {
    case DType::f64:
      return std::bit_cast<std::uint64_t>(value);
    case DType::f32:
      return std::bit_cast<std::uint32_t>(static_cast<float>(value));
    case DType::f16: {
      Half half;
      from_float(static_cast<float>(value), half);
      return half.bits;
    }
    case DType::bf16: {
      BFloat half;
      from_float(static_cast<float>(value), half);
      return half.bits;
    }
    case DType::b8:
      return value != 0;
    default:
      return static_cast<std::uint64_t>(cut());
  }
}

// Fills a tensor with one number, on all threads.
inline void fill(const Tensor& out, double value) {
  const std::uint64_t bits = encode(value, out.dtype);
  by_size(out.dtype, [&](auto kind) {
    using T = decltype(kind);
    T* to = out.as<T>();
    const T element = static_cast<T>(bits);
    const std::int64_t grain = kChunkBytes / static_cast<std::int64_t>(sizeof(T));
    parallel_for(out.size(), grain, [=](std::int64_t begin, std::int64_t end) {
      if (element == 0) {
        std::memset(to + begin, 0, static_cast<std::size_t>(end - begin) * sizeof(T));
      } else {
        std::fill(to + begin, to + end, element);
      }
    });
  });
}

// Copies bytes between tensors of one size, on all threads; nothing to do where they are the same.
inline void copy(const Tensor& from, const Tensor& to) {
  if (from.data == to.data) return;
  const char* source = from.as<char>();
  char* target = to.as<char>();
  parallel_for(to.size() * item_size(to.dtype), kChunkBytes,
               [=](std::int64_t begin, std::int64_t end) {
                 std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin));
               });
}

// memcpy that stays in line for short runs.
template <class T>
inline void copy_run(T* to, const T* from, std::int64_t n) {
  if (n * static_cast<std::int64_t>(sizeof(T)) > 64) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

// ---- indices -----------------------------------------------------------------------------------

inline bool is_index(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::i32 || dtype == DType::i64 ||
         dtype == DType::u8 || dtype == DType::i8;
}

inline std::int64_t to_index(std::int64_t value) { return value; }
inline std::int64_t to_index(double value) {
  if (!(value == value)) return 0;
  return static_cast<std::int64_t>(std::min(std::max(value, -0x1p62), 0x1p62));
}
inline std::int64_t to_index(float value) { return to_index(static_cast<double>(value)); }
inline std::int64_t to_index(std::int32_t value) { return value; }
inline std::int64_t to_index(std::int8_t value) { return value; }
inline std::int64_t to_index(std::uint8_t value) { return value; }

// Calls body(pointer) with a pointer of the tensor's own type, which is_index allows.
template <class Body>
void by_index(const Tensor& t, const Body& body) {
  switch (t.dtype) {
    case DType::f32:
      return body(t.as<const float>());
    case DType::f64:
      return body(t.as<const double>());
    case DType::i32:
      return body(t.as<const std::int32_t>());
    case DType::i64:
      return body(t.as<const std::int64_t>());
    case DType::i8:
      return body(t.as<const std::int8_t>());
    default:
      return body(t.as<const std::uint8_t>());
  }
}

// Indices of any type as int64, each through map(index).
template <class Map>
void load_indices(const Tensor& t, std::int64_t* to, const Map& map) {
  by_index(t, [&](const auto* from) {
    parallel_for(t.size(), 1 << 14, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) to[i] = map(to_index(from[i]));
    });
  });
}

// The modes in which an index outside [0, size) is brought inside; size is at least 1.
enum Mode { kClip = 0, kWrap = 1 };

inline void load_indices(const Tensor& t, std::int64_t* to, int mode, std::int64_t size) {
  if (mode == kWrap) {
    load_indices(t, to, [=](std::int64_t i) {
      const std::int64_t rest = i % size;
      return rest < 0 ? rest + size : rest;
    });
  } else {
    load_indices(t, to,
                 [=](std::int64_t i) { return std::min(std::max<std::int64_t>(i, 0), size - 1); });
  }
}

}  // namespace baryon::BARYON_ISA
