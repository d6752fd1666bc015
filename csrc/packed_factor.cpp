#include "packed_factor.h"

#include <algorithm>
#include <atomic>

#include "gemm_call.h"
#include "parallel.h"
#include "registry.h"

namespace baryon {
namespace {

using Int = std::int64_t;

constexpr Int kHead = 64;    // bytes before the columns
constexpr Int kFewRows = 3;  // for fewer, B is read as fast as it lies

struct Kinds {
  const Kernel *pack, *multiply;
};

// The matrix unit's, where they accept the product.
template <class T>
Kinds kinds(const GemmCall<T>& product) {
  constexpr bool single = sizeof(T) == sizeof(float);
  static const Kinds split{find_kernel("_pack_split_f32"), find_kernel("_gemm_split_f32")};
  static const Kinds plain{find_kernel(single ? "_pack_f32" : "_pack_f64"),
                           find_kernel(single ? "_gemm_f32" : "_gemm_f64")};
  const bool splits = single && split.pack != nullptr && split.pack->accepts(product.call());
  return splits ? split : plain;
}

// Packs n columns from b on.
template <class T>
GemmCall<T> packing(bool turned, Int rows, Int n, Int k, const T* b, Int ldb, void* to) {
  return {false, turned, rows, n, k, T(1), nullptr, 0, b, ldb, T(0), static_cast<T*>(to), 0};
}

Int groups_of(Int n, Int group) { return (n + group - 1) / group; }

}  // namespace

template <class T>
PackedFactor<T>::PackedFactor(Int rows, bool turned, Int n, Int k) : turned_(turned), n_(n), k_(k) {
  const Kinds found = kinds(packing<T>(turned, rows, n, k, nullptr, 0, nullptr));
  const bool pays = rows >= kFewRows && n > 0 && k > 0;
  pack_ = pays ? found.pack : nullptr;
  multiply_ = found.multiply;
  if (pack_ == nullptr) return;
  constexpr Int kMany = 96;  // a multiple of every kernel's group
  const auto bytes = [&](Int columns) {
    return pack_->keeps(packing<T>(turned, rows, columns, k, nullptr, 0, nullptr).call());
  };
  group_bytes_ = bytes(1);
  group_ = kMany * group_bytes_ / bytes(kMany);
}

template <class T>
Int PackedFactor<T>::bytes() const {
  return pack_ == nullptr ? 0 : kHead + groups_of(n_, group_) * group_bytes_;
}

template <class T>
void PackedFactor<T>::place(const T* b, void* memory) {
  b_ = b;
  finite_ = static_cast<bool*>(memory);
}

template <class T>
char* PackedFactor<T>::columns(Int from) const {
  return reinterpret_cast<char*>(finite_) + kHead + from / group_ * group_bytes_;
}

template <class T>
void PackedFactor<T>::pack() const {
  constexpr Int kWork = 16384;  // numbers that are worth another thread
  std::atomic<bool> finite{true};
  parallel_for(groups_of(n_, group_), kWork / (group_ * k_) + 1, [&](Int begin, Int end) {
    const Int from = begin * group_, count = std::min(n_, end * group_) - from;
    const T* b = b_ + (turned_ ? from * k_ : from);
    const GemmCall<T> call =
        packing(turned_, kFewRows, count, k_, b, turned_ ? k_ : n_, columns(from));
    pack_->run(call.call());
    if (!call.done()) finite = false;
  });
  *finite_ = finite;
}

// Columns [from, to), on this thread.
template <class T>
void PackedFactor<T>::multiply_part(Int m, Int from, Int to, const T* a, Int lda, T beta, T* c,
                                    Int ldc, const T* bias) const {
  const Int ldb = turned_ ? k_ : n_;
  const T* b = b_ + (turned_ ? from * k_ : from);
  if (bias != nullptr) bias += from;
  const GemmCall<T> call(false, turned_, m, to - from, k_, T(1), a, lda, b, ldb, beta, c + from,
                         ldc, bias, columns(from));
  if (*finite_) multiply_->run(call.call());
  if (!call.done())
    gemm(false, turned_, m, to - from, k_, T(1), a, lda, b, ldb, beta, c + from, ldc, bias);
}

template <class T>
void PackedFactor<T>::multiply(Int m, const T* a, Int lda, T beta, T* c, Int ldc,
                               const T* bias) const {
  constexpr double kWork = 256.0 * 1024, kLargeWork = 4e8;  // multiplications of a piece
  constexpr Int kRows = 32;
  const double work = static_cast<double>(m) * n_ * k_;
  const Int groups = groups_of(n_, group_), most = num_threads() * (work > kLargeWork ? 2 : 1);
  const bool by_rows = m > n_;
  const Int size = by_rows ? (m + kRows - 1) / kRows : groups;
  const Int pieces = std::clamp<Int>(static_cast<Int>(work / kWork), 1, std::min(most, size));
  parallel_for(pieces, 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Int first = size * i / pieces, last = size * (i + 1) / pieces;
      const Int row = by_rows ? first * kRows : 0, to = by_rows ? std::min(m, last * kRows) : m;
      const Int left = by_rows ? 0 : first * group_,
                right = by_rows ? n_ : std::min(n_, last * group_);
      multiply_part(to - row, left, right, a + row * lda, lda, beta, c + row * ldc, ldc, bias);
    }
  });
}

template class PackedFactor<float>;
template class PackedFactor<double>;

}  // namespace baryon
