// Matrix products: which code runs a product, and how it is cut into pieces for the pool.
#include "gemm.h"

#include <dlfcn.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <string>

#include "gemm_call.h"
#include "parallel.h"
#include "registry.h"

namespace baryon {
namespace {

using Int = std::int64_t;

template <class T>
struct Product {
  bool ta, tb;
  Int m, n, k;
  T alpha;
  const T* a;
  Int lda;
  const T* b;
  Int ldb;
  T beta;
  T* c;
  Int ldc;
  const T* bias;  // or null

  double work() const { return static_cast<double>(m) * n * k; }

  Product rows(Int from, Int to) const {
    Product part = *this;
    part.m = to - from;
    part.a += ta ? from : from * lda;
    part.c += from * ldc;
    return part;
  }
  Product columns(Int from, Int to) const {
    Product part = *this;
    part.n = to - from;
    part.b += tb ? from * ldb : from;
    part.c += from;
    if (bias != nullptr) part.bias += from;
    return part;
  }
  Product depth(Int from, Int to) const {
    Product part = *this;
    part.k = to - from;
    part.a += ta ? from * lda : from;
    part.b += tb ? from : from * ldb;
    return part;
  }
};

// ---- scipy-openblas32 -----------------------------------------------------------------------

template <class T>
using CblasGemm = void (*)(int order, int ta, int tb, int m, int n, int k, T alpha, const T* a,
                           int lda, const T* b, int ldb, T beta, T* c, int ldc);

struct Blas {
  CblasGemm<float> sgemm = nullptr;
  CblasGemm<double> dgemm = nullptr;
  std::string error = "no BLAS library was named";
};

std::string blas_path;

Blas open_blas() {
  Blas blas;
  if (blas_path.empty()) return blas;
  void* library = dlopen(blas_path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    blas.error = dlerror();
    return blas;
  }
  const auto set_threads =
      reinterpret_cast<void (*)(int)>(dlsym(library, "scipy_openblas_set_num_threads"));
  blas.sgemm = reinterpret_cast<CblasGemm<float>>(dlsym(library, "scipy_cblas_sgemm"));
  blas.dgemm = reinterpret_cast<CblasGemm<double>>(dlsym(library, "scipy_cblas_dgemm"));
  if (set_threads == nullptr || blas.sgemm == nullptr || blas.dgemm == nullptr) {
    blas = Blas();
    blas.error = blas_path + " is not scipy-openblas32's library";
    return blas;
  }
  set_threads(1);  // the pool shares the work out
  blas.error.clear();
  return blas;
}

const Blas& the_blas() {
  static const Blas blas = open_blas();
  return blas;
}

template <class T>
CblasGemm<T> blas_gemm() {
  if constexpr (sizeof(T) == sizeof(float)) {
    return the_blas().sgemm;
  } else {
    return the_blas().dgemm;
  }
}

// ---- kernels' products ----------------------------------------------------------------------

template <class T>
GemmCall<T> kernel_call(const Product<T>& p) {
  return {p.ta, p.tb, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, p.c, p.ldc, p.bias};
}

// Whether the matrix unit has done it.
template <class T>
bool by_matrix_unit(const Product<T>& p) {
  static const Kernel* const kernel =
      sizeof(T) == sizeof(float) ? find_kernel("_gemm_split_f32") : nullptr;
  if (kernel == nullptr) return false;
  const GemmCall<T> call = kernel_call(p);
  if (!kernel->accepts(call.call())) return false;
  kernel->run(call.call());
  return call.done();
}

// ---- one thread's product -------------------------------------------------------------------

// What the products are added to.
template <class T>
void start(const Product<T>& p) {
  for (Int i = 0; i < p.m; ++i) {
    T* row = p.c + i * p.ldc;
    if (p.bias != nullptr)
      std::copy_n(p.bias, p.n, row);
    else
      for (Int j = 0; j < p.n; ++j) row[j] = p.beta == 0 ? 0 : p.beta * row[j];
  }
}

template <class T>
void plain(const Product<T>& p) {
  start(p);
  for (Int i = 0; i < p.m; ++i) {
    T* row = p.c + i * p.ldc;
    for (Int l = 0; l < p.k; ++l) {
      const T factor = p.alpha * (p.ta ? p.a[l * p.lda + i] : p.a[i * p.lda + l]);
      for (Int j = 0; j < p.n; ++j)
        row[j] += factor * (p.tb ? p.b[j * p.ldb + l] : p.b[l * p.ldb + j]);
    }
  }
}

template <class T>
class Micro {
 public:
  Micro() : kernel_(find_kernel(sizeof(T) == sizeof(float) ? "_gemm_f32" : "_gemm_f64")) {}

  // Whether the family's kernel ran: it takes all products that it accepts, and any `must`.
  bool run(const Product<T>& p, bool must) const {
    if (kernel_ == nullptr) return false;
    const GemmCall<T> call = kernel_call(p);
    if (!must && !kernel_->accepts(call.call())) return false;
    kernel_->run(call.call());
    return true;
  }

 private:
  const Kernel* kernel_;
};

template <class T>
void alone(const Product<T>& p) {
  if (by_matrix_unit(p)) return;
  static const Micro<T> micro;
  if (micro.run(p, false)) return;
  const CblasGemm<T> cblas = blas_gemm<T>();
  const bool fits = std::max({p.m, p.n, p.k, p.lda, p.ldb, p.ldc}) <= INT_MAX;
  if (cblas != nullptr && fits) {
    constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;
    if (p.bias != nullptr) start(p);
    cblas(kRowMajor, p.ta ? kTrans : kNoTrans, p.tb ? kTrans : kNoTrans, static_cast<int>(p.m),
          static_cast<int>(p.n), static_cast<int>(p.k), p.alpha, p.a, static_cast<int>(p.lda), p.b,
          static_cast<int>(p.ldb), p.bias != nullptr ? T(1) : p.beta, p.c, static_cast<int>(p.ldc));
  } else if (!micro.run(p, true)) {
    plain(p);
  }
}

// ---- pieces for the pool --------------------------------------------------------------------

constexpr double kPieceWork = 256.0 * 1024;  // multiplications that are worth another thread
constexpr double kLargeWork = 4e8;
constexpr Int kPieceSide = 32;  // rows or columns a piece has at least

Int pieces_of(Int size, Int side, Int wanted) { return std::clamp<Int>(size / side, 1, wanted); }

// Cuts [0, size) at multiples of 16 and calls body(from, to) for each piece on the pool.
template <class Body>
void split(Int size, Int pieces, const Body& body) {
  const Int step = ((size + pieces - 1) / pieces + 15) / 16 * 16;
  parallel_for((size + step - 1) / step, 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) body(i, i * step, std::min(size, (i + 1) * step));
  });
}

// A small result of a long sum: every piece of the sum has a result of its own, added at the end.
template <class T>
void split_depth(const Product<T>& p, Int pieces) {
  const Int area = p.m * p.n;
  const Int step = ((p.k + pieces - 1) / pieces + 15) / 16 * 16;
  pieces = (p.k + step - 1) / step;
  const Scratch<T> sums(area * pieces);
  split(p.k, pieces, [&](Int piece, Int from, Int to) {
    Product<T> part = p.depth(from, to);
    part.beta = 0;
    part.bias = nullptr;
    part.c = sums.get() + piece * area;
    part.ldc = p.n;
    alone(part);
  });
  start(p);
  for (Int piece = 0; piece < pieces; ++piece) {
    for (Int i = 0; i < p.m; ++i) {
      const T* from = sums.get() + piece * area + i * p.n;
      for (Int j = 0; j < p.n; ++j) p.c[i * p.ldc + j] += from[j];
    }
  }
}

template <class T>
void product(const Product<T>& p) {
  if (p.m <= 0 || p.n <= 0) return;
  if (p.k <= 0 || p.alpha == 0) return start(p);
  const int threads = in_parallel() ? 1 : num_threads();
  // Pieces pack what they read for themselves: no more of them than evens out a slow thread.
  const double wanted = threads * (p.work() > kLargeWork ? 2.0 : 1.0);
  const Int most = static_cast<Int>(std::min(wanted, std::ceil(p.work() / kPieceWork)));
  if (most <= 1) return alone(p);
  const Int rows = pieces_of(p.m, kPieceSide, most), columns = pieces_of(p.n, kPieceSide, most);
  const Int depth = pieces_of(p.k, 16 * kPieceSide, threads);
  if (std::max(rows, columns) < threads && depth > std::max(rows, columns)) {
    split_depth(p, depth);
  } else if (rows >= columns && (rows > columns || p.m >= p.n)) {
    split(p.m, rows, [&](Int, Int from, Int to) { alone(p.rows(from, to)); });
  } else {
    split(p.n, columns, [&](Int, Int from, Int to) { alone(p.columns(from, to)); });
  }
}

}  // namespace

void gemm(bool ta, bool tb, Int m, Int n, Int k, float alpha, const float* a, Int lda,
          const float* b, Int ldb, float beta, float* c, Int ldc, const float* bias) {
  product(Product<float>{ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, bias});
}

void gemm(bool ta, bool tb, Int m, Int n, Int k, double alpha, const double* a, Int lda,
          const double* b, Int ldb, double beta, double* c, Int ldc, const double* bias) {
  product(Product<double>{ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, bias});
}

void set_blas_path(const char* path) { blas_path = path; }

const char* load_blas() { return the_blas().error.empty() ? nullptr : the_blas().error.c_str(); }

}  // namespace baryon
