// A product as a call of a kernel family, as gemm.h describes it.
#pragma once

#include "gemm.h"
#include "kernel.h"

namespace baryon {

template <class T>
constexpr DType kFloat = sizeof(T) == sizeof(float) ? DType::f32 : DType::f64;

template <class T>
class GemmCall {
 public:
  GemmCall(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
           std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc,
           const T* bias = nullptr, const void* packed = nullptr) {
    for (Tensor* t : {&in_[0], &in_[1], &in_[2], &in_[3], &out_[0]}) t->dtype = kFloat<T>;
    in_[0].data = const_cast<T*>(a);
    in_[1].data = const_cast<T*>(b);
    in_[2].data = const_cast<void*>(packed);
    in_[3].data = const_cast<T*>(bias);
    out_[0].data = c;
    out_[1].data = &done_;
    params_[kTa] = ta;
    params_[kTb] = tb;
    params_[kM] = static_cast<double>(m);
    params_[kN] = static_cast<double>(n);
    params_[kK] = static_cast<double>(k);
    params_[kAlpha] = alpha;
    params_[kLda] = static_cast<double>(lda);
    params_[kLdb] = static_cast<double>(ldb);
    params_[kBeta] = beta;
    params_[kLdc] = static_cast<double>(ldc);
  }
  GemmCall(const GemmCall&) = delete;
  GemmCall& operator=(const GemmCall&) = delete;

  Call call() const { return {in_, 4, out_, 2, params_, kGemmParams}; }
  // What the kernel has said.
  bool done() const { return done_; }

 private:
  Tensor in_[4], out_[2];
  double params_[kGemmParams];
  bool done_ = false;
};

}  // namespace baryon
