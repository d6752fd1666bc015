// A typed view of dense, C-contiguous memory: all that a kernel knows of an array.
#pragma once

#include <cstddef>
#include <cstdint>

namespace baryon {

// The values are MXNet's type flags.
enum class DType : std::int32_t {
  f32 = 0,
  f64 = 1,
  f16 = 2,
  u8 = 3,
  i32 = 4,
  i8 = 5,
  i64 = 6,
  b8 = 7,
  bf16 = 12,
};

constexpr int kMaxDim = 16;

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  std::int32_t ndim = 0;
  std::int64_t shape[kMaxDim] = {};

  std::int64_t size() const {
    std::int64_t n = 1;
    for (int i = 0; i < ndim; ++i) n *= shape[i];
    return n;
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace baryon
