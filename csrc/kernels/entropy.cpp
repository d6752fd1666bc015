// Cross entropy of rows of scores against class indices, and its gradient: a row is read once, and
// neither probabilities nor their logarithms are stored. params = {rows, classes}.

#include "exp_row.h"

namespace baryon::BARYON_ISA {
namespace {

// The class that a label means: the nearest one there is.
template <class L>
Index place(L label, Index classes) {
  if (!(label > L(0))) return 0;
  return label < static_cast<L>(classes - 1) ? static_cast<Index>(label) : classes - 1;
}

template <class T>
T log_sum_of(const T* x, Index n) {
  const Vector<T> top = row_max(x, n, T(1));
  return top[0] + vm::log(exp_row<false>(x, top, static_cast<T*>(nullptr), n, T(1), x + n));
}

struct Rows {
  Index rows, classes;

  explicit Rows(const Call& call)
      : rows(static_cast<Index>(call.params[0])), classes(static_cast<Index>(call.params[1])) {}

  template <class F>
  void each(const F& f) const {
    parallel_for(rows, std::max<Index>(1, kGrain / 4 / std::max<Index>(classes, 1)),
                 [&](Index begin, Index end) {
                   for (Index r = begin; r < end; ++r) f(r);
                 });
  }
};

// data, label -> loss, log_sum.
template <class T, class L>
void forward(const Call& call) {
  const Rows s(call);
  const T* data = call.in[0].as<T>();
  const L* label = call.in[1].as<L>();
  T *loss = call.out[0].as<T>(), *log_sum = call.out[1].as<T>();
  s.each([&](Index r) {
    const T* x = data + r * s.classes;
    log_sum[r] = log_sum_of(x, s.classes);
    loss[r] = log_sum[r] - x[place(label[r], s.classes)];
  });
}

// dy, data, label, log_sum -> dx.
template <class T, class L>
void backward(const Call& call) {
  const Rows s(call);
  const T *dy = call.in[0].as<T>(), *data = call.in[1].as<T>(), *log_sum = call.in[3].as<T>();
  const L* label = call.in[2].as<L>();
  T* dx = call.out[0].as<T>();
  s.each([&](Index r) {
    const T* x = data + r * s.classes;
    T* to = dx + r * s.classes;
    const T factor = dy[r], shift = log_sum[r];
    each_vector<T>(s.classes, [&](Index i, auto count) {
      store_part(to + i, Vector<T>(exp_below<T>(load_part(x + i, count) - shift) * factor), count);
    });
    to[place(label[r], s.classes)] -= factor;
  });
}

template <template <class, class> class Kernel>
void by_types(const Call& call, DType data, DType label) {
  const bool single = data == DType::f32;
  switch (label) {
    case DType::f64:
      return single ? Kernel<float, double>::run(call) : Kernel<double, double>::run(call);
    case DType::i32:
      return single ? Kernel<float, std::int32_t>::run(call)
                    : Kernel<double, std::int32_t>::run(call);
    case DType::i64:
      return single ? Kernel<float, std::int64_t>::run(call)
                    : Kernel<double, std::int64_t>::run(call);
    default:
      return single ? Kernel<float, float>::run(call) : Kernel<double, float>::run(call);
  }
}

template <class T, class L>
struct Forward {
  static void run(const Call& call) { forward<T, L>(call); }
};
template <class T, class L>
struct Backward {
  static void run(const Call& call) { backward<T, L>(call); }
};

void cross_entropy(const Call& call) {
  by_types<Forward>(call, call.in[0].dtype, call.in[1].dtype);
}
void backward_cross_entropy(const Call& call) {
  by_types<Backward>(call, call.in[1].dtype, call.in[2].dtype);
}

template <int data, int label>
bool accepts(const Call& call) {
  const DType dtype = call.in[data].dtype, kind = call.in[label].dtype;
  if (call.in[data].size() == 0 || (dtype != DType::f32 && dtype != DType::f64)) return false;
  for (int i = 0; i < call.n_in; ++i)
    if (i != label && call.in[i].dtype != dtype) return false;
  return kind == DType::f32 || kind == DType::f64 || kind == DType::i32 || kind == DType::i64;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(entropy) {
  using namespace baryon::BARYON_ISA;
  add("_cross_entropy", cross_entropy, accepts<0, 1>);
  add("_backward_cross_entropy", backward_cross_entropy, accepts<1, 2>);
}
