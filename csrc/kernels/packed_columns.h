// A matrix packed once for many products in which it is the second factor.
#pragma once

#include "../parallel.h"
#include "simd.h"

namespace baryon::BARYON_ISA {

// For float and double, in gemm.cpp.
template <class T>
class PackedColumns {
 public:
  // k x n numbers; `turned`: stored as n x k.
  PackedColumns(const T* matrix, bool turned, Int k, Int n);

  // c (m x n) = a (m x k) times the matrix, added to c if `adds`, shared out to the pool.
  void multiply(Int m, const T* a, Int lda, bool adds, T* c, Int ldc) const;

 private:
  Int k_, n_;
  Scratch<T> packed_;  // [panel][k][columns of a tile]
};

}  // namespace baryon::BARYON_ISA
