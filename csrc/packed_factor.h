// The second factor of many products, packed once.
#pragma once

#include <cstdint>

#include "gemm.h"

namespace baryon {

struct Kernel;

// For float and double. It reads op(B), k x n with `turned` and no rows left out, as gemm() does.
template <class T>
class PackedFactor {
 public:
  // `rows`: about how many the first factors have, on which depends how it is packed.
  PackedFactor(std::int64_t rows, bool turned, std::int64_t n, std::int64_t k);

  // Bytes of memory it needs; 0 where packing does not pay.
  std::int64_t bytes() const;
  // Memory that holds it already, or will once `pack` was called, shared out to the pool.
  void place(const T* b, void* memory);
  void pack() const;
  // c (m x n) = a (m x k) op(B) + beta c, shared out to the pool; beta is 0 or 1, `bias` as gemm()
  // takes it.
  void multiply(std::int64_t m, const T* a, std::int64_t lda, T beta, T* c, std::int64_t ldc,
                const T* bias = nullptr) const;

 private:
  char* columns(std::int64_t from) const;
  void multiply_part(std::int64_t m, std::int64_t from, std::int64_t to, const T* a,
                     std::int64_t lda, T beta, T* c, std::int64_t ldc, const T* bias) const;

  bool turned_;
  std::int64_t n_, k_;
  const Kernel *pack_, *multiply_;
  std::int64_t group_ = 1, group_bytes_ = 0;  // columns that are packed together
  const T* b_ = nullptr;
  bool* finite_ = nullptr;  // at the beginning of the memory
};

}  // namespace baryon
