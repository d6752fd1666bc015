// A matrix of a recurrent network as the second factor of the products of many steps.
#pragma once

#include "../gemm.h"
#include "../packed_factor.h"
#include "rnn.h"

namespace baryon::BARYON_ISA {

// Rows of `stride` numbers.
template <class T>
struct Rows {
  T* data;
  Index stride;

  T* operator[](Index n) const { return data + n * stride; }
};

// Packed where that pays.
template <class T>
class RnnFactor {
 public:
  // op(B) is k x n and lies `turned` in memory; first factors have about `rows` rows.
  RnnFactor(Index rows, bool turned, Index n, Index k, const T* matrix)
      : turned_(turned), n_(n), k_(k), matrix_(matrix), factor_(rows, turned, n, k) {}

  // Of memory that it is to be placed in before products; `filled`: by an earlier call.
  Index bytes() const { return (factor_.bytes() + 63) / 64 * 64; }
  void place(void* memory, bool filled) {
    if (factor_.bytes() == 0) return;
    factor_.place(matrix_, memory);
    if (!filled) factor_.pack();
  }

  void multiply(Index rows, const T* a, Index lda, bool adds, T* c, Index ldc) const {
    if (factor_.bytes() > 0) return factor_.multiply(rows, a, lda, T(adds), c, ldc);
    gemm(false, turned_, rows, n_, k_, T(1), a, lda, matrix_, turned_ ? k_ : n_, T(adds), c, ldc);
  }

 private:
  bool turned_;
  Index n_, k_;
  const T* matrix_;
  PackedFactor<T> factor_;
};

}  // namespace baryon::BARYON_ISA
