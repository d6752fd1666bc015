// Matrix products for kernels: C = alpha * op(A) * op(B) + beta * C, all row-major.
//
// op(A) is m x k and op(B) is k x n; `ta` says that A is stored transposed (k x m), lda is the
// stored row length. With beta == 0, C is written without being read; its rows are then sums with
// `bias`, n numbers, if that is given. Inside parallel_for a call runs on its own thread, elsewhere
// it is cut into blocks for the pool.
#pragma once

#include <cstdint>

namespace baryon {

void gemm(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
          const float* a, std::int64_t lda, const float* b, std::int64_t ldb, float beta, float* c,
          std::int64_t ldc, const float* bias = nullptr);
void gemm(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, double alpha,
          const double* a, std::int64_t lda, const double* b, std::int64_t ldb, double beta,
          double* c, std::int64_t ldc, const double* bias = nullptr);

// Arguments of a micro-kernel family: register kernels named "_gemm_f32" and "_gemm_f64" with in =
// {a, b, packed, bias}, out = {c, done} (data pointers only) and params = {ta, tb, m, n, k, alpha,
// lda, ldb, beta, ldc}; they run on the calling thread alone. gemm() calls them for products that
// they accept and where there is no BLAS library. `packed` is null, or B as "_pack_f32" packs it,
// from in = {-, b} into out = {packed, done}, as many bytes as its KeepFn says. `done` is a bool,
// set where a kernel did what it was called for: "_gemm_split_f32" and "_pack_split_f32", which are
// asked first, leave numbers that are not finite to the others.
enum GemmParam { kTa, kTb, kM, kN, kK, kAlpha, kLda, kLdb, kBeta, kLdc, kGemmParams };

// Names the BLAS library (scipy-openblas32's), opened when the first large product needs it.
void set_blas_path(const char* path);
// Opens it now; null on success, else why not.
const char* load_blas();

}  // namespace baryon
