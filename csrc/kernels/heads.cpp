// The gradient of SoftmaxOutput.

#include "loops.h"

namespace baryon::BARYON_ISA {
namespace {

enum Normalization { kNull, kBatch, kValid };

// params as _backward_params of ops/heads.py packs them.
struct Head {
  Index before, classes, after;
  bool soft, multi, ignore;
  int normalization;
  double scale, ignored, smooth;

  explicit Head(const double* p)
      : before(static_cast<Index>(p[0])),
        classes(static_cast<Index>(p[1])),
        after(static_cast<Index>(p[2])),
        soft(p[3] != 0),
        multi(p[5] != 0),
        ignore(p[6] != 0),
        normalization(static_cast<int>(p[4])),
        scale(p[7]),
        ignored(p[8]),
        smooth(p[9]) {}
};

template <class T, class L>
double divisor(const Head& h, const L* label, Index count) {
  const double by = h.normalization == kBatch ? static_cast<double>(h.before) : 1.0;
  if (h.normalization == kValid) {
    Index valid = 0;
    for (Index i = 0; i < count; ++i)
      valid += static_cast<Index>(label[i]) != static_cast<Index>(h.ignored);
    return static_cast<double>(std::max<Index>(valid, 1));
  }
  return h.multi ? by * static_cast<double>(h.after) : by;
}

template <class T, class L>
void hard(const Call& call, const Head& h) {
  const T* y = call.in[0].as<T>();
  const L* label = call.in[1].as<L>();
  T* dx = call.out[0].as<T>();
  const T factor = static_cast<T>(h.scale / divisor<T>(h, label, call.in[1].size()));
  const T on = static_cast<T>(1 - h.smooth);
  const T off = static_cast<T>(h.smooth / static_cast<double>(std::max<Index>(h.classes - 1, 1)));
  const Index row = h.classes * h.after;
  parallel_for(h.before, std::max<Index>(1, kGrain / std::max<Index>(1, row)),
               [&](Index begin, Index end) {
                 for (Index b = begin; b < end; ++b) {
                   const T* yb = y + b * row;
                   T* db = dx + b * row;
                   // The label's entry is read before an in-place result overwrites it.
                   for (Index j = 0; j < h.after; ++j) {
                     const Index c = static_cast<Index>(label[b * h.after + j]);
                     const bool zero = h.ignore && c == static_cast<Index>(h.ignored);
                     const T keep = zero ? T(0) : factor;
                     const bool inside = c >= 0 && c < h.classes;
                     const T chosen = inside ? (yb[c * h.after + j] - on) * keep : T(0);
#pragma GCC ivdep
                     for (Index i = 0; i < h.classes; ++i)
                       db[i * h.after + j] = (yb[i * h.after + j] - off) * keep;
                     if (inside) db[c * h.after + j] = chosen;
                   }
                 }
               });
}

template <class T, class L>
void soft(const Call& call, const Head& h) {
  const T* y = call.in[0].as<T>();
  const L* label = call.in[1].as<L>();
  T* dx = call.out[0].as<T>();
  const T factor = static_cast<T>(h.scale);
  parallel_for(call.out[0].size(), kGrain, [&](Index begin, Index end) {
#pragma GCC ivdep
    for (Index i = begin; i < end; ++i) dx[i] = (y[i] - static_cast<T>(label[i])) * factor;
  });
}

template <class T, class L>
void run(const Call& call) {
  const Head h(call.params);
  h.soft ? soft<T, L>(call, h) : hard<T, L>(call, h);
}

void backward_softmax_output(const Call& call) {
  const bool single = call.out[0].dtype == DType::f32;
  switch (call.in[1].dtype) {
    case DType::f64:
      return single ? run<float, double>(call) : run<double, double>(call);
    case DType::i32:
      return single ? run<float, std::int32_t>(call) : run<double, std::int32_t>(call);
    case DType::i64:
      return single ? run<float, std::int64_t>(call) : run<double, std::int64_t>(call);
    default:
      return single ? run<float, float>(call) : run<double, float>(call);
  }
}

bool accepts(const Call& call) {
  const DType dtype = call.in[0].dtype, label = call.in[1].dtype;
  return (dtype == DType::f32 || dtype == DType::f64) && call.out[0].dtype == dtype &&
         (label == DType::f32 || label == DType::f64 || label == DType::i32 || label == DType::i64);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(heads) {
  using namespace baryon::BARYON_ISA;
  add("_backward_SoftmaxOutput", backward_softmax_output, accepts);
}
