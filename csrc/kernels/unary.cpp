// Element-wise kernels of one input that need no transcendental function.
#include <cmath>
#include <limits>
#include <type_traits>

#include "loops.h"
#include "vinverse.h"

namespace baryon::BARYON_ISA {
namespace {

struct Negative {
  template <class T>
  static T apply(T x) {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(x));
    } else {
      return -x;
    }
  }
};
struct Abs {
  template <class T>
  static T apply(T x) {
    if constexpr (std::is_integral_v<T>) {
      return x < T(0) ? Negative::apply(x) : x;
    } else {
      return std::fabs(x);
    }
  }
};
struct Sign {
  template <class T>
  static T apply(T x) {
    return (x > T(0) ? T(1) : T(0)) - (x < T(0) ? T(1) : T(0));
  }
};
struct Relu {
  template <class T>
  static T apply(T x) {
    return x <= T(0) ? T(0) : x;  // NaN passes
  }
};
struct Square {
  template <class T>
  static T apply(T x) {
    using U = std::conditional_t<std::is_integral_v<T>, std::uint64_t, T>;
    return static_cast<T>(static_cast<U>(x) * static_cast<U>(x));
  }
};
struct LogicalNot {
  template <class T>
  static T apply(T x) {
    return x == T(0) ? T(1) : T(0);
  }
};
struct Ceil {
  template <class T>
  static T apply(T x) {
    return std::ceil(x);
  }
};
struct Floor {
  template <class T>
  static T apply(T x) {
    return std::floor(x);
  }
};
struct Trunc {
  template <class T>
  static T apply(T x) {
    return std::trunc(x);
  }
};
struct Round {  // ties away from zero
  template <class T>
  static T apply(T x) {
    const T whole = std::trunc(x);
    const T away = std::fabs(x - whole) >= T(0.5) ? T(1) : T(0);
    return whole + std::copysign(away, x);
  }
};
struct Rint {  // ties down
  template <class T>
  static T apply(T x) {
    const T low = std::floor(x), high = std::ceil(x);
    return x - low <= high - x ? low : high;
  }
};
struct Sqrt {
  template <class T>
  static T apply(T x) {
    return std::sqrt(x);
  }
};
struct Rsqrt {
  template <class T>
  static T apply(T x) {
    return T(1) / std::sqrt(x);
  }
};
struct Reciprocal {
  template <class T>
  static T apply(T x) {
    return T(1) / x;
  }
};
struct Cbrt {
  static float apply(float x) { return static_cast<float>(vm::cbrt(static_cast<double>(x))); }
  static double apply(double x) { return std::cbrt(x); }
};
struct Rcbrt {
  static float apply(float x) { return static_cast<float>(1 / vm::cbrt(static_cast<double>(x))); }
  static double apply(double x) { return 1 / std::cbrt(x); }
};
struct Softsign {
  template <class T>
  static T apply(T x) {
    return x / (T(1) + std::fabs(x));
  }
};
struct Degrees {
  template <class T>
  static T apply(T x) {
    return x * T(57.29577951308232);
  }
};
struct Radians {
  template <class T>
  static T apply(T x) {
    return x * T(0.017453292519943295);
  }
};
struct HardSigmoid {
  double alpha, beta;
  explicit HardSigmoid(const double* params) : alpha(params[0]), beta(params[1]) {}
  template <class T>
  T apply(T x) const {
    const T y = static_cast<T>(alpha) * x + static_cast<T>(beta);
    return y < T(0) ? T(0) : (y > T(1) ? T(1) : y);
  }
};
struct Clip {
  double low, high;
  explicit Clip(const double* params) : low(params[0]), high(params[1]) {}
  template <class T>
  static T bound(double value) {
    if constexpr (std::is_integral_v<T>) {
      if (!(value > static_cast<double>(std::numeric_limits<T>::min())))
        return std::numeric_limits<T>::min();
      if (!(value < static_cast<double>(std::numeric_limits<T>::max())))
        return std::numeric_limits<T>::max();
    }
    return static_cast<T>(value);
  }
  template <class T>
  T apply(T x) const {
    const T a = bound<T>(low), b = bound<T>(high);
    const T y = x < a ? a : x;
    return y > b ? b : y;
  }
};
struct SmoothL1 {
  double square;
  explicit SmoothL1(const double* params) : square(params[0] * params[0]) {}
  template <class T>
  T apply(T x) const {
    const T s2 = static_cast<T>(square), size = std::fabs(x), edge = static_cast<T>(1 / square);
    return size < edge ? T(0.5) * s2 * x * x : size - T(0.5) * edge;
  }
};

template <class Op>
constexpr UnaryLoops kFloats = unary_loops<Op, float, double>();
template <class Op>
constexpr UnaryLoops kNumbers =
    unary_loops<Op, float, double, std::int32_t, std::int64_t, std::int8_t, std::uint8_t>();

template <const UnaryLoops& loops>
void run(const Call& call) {
  run_unary(loops, call);
}
template <const UnaryLoops& loops>
bool accepts(const Call& call) {
  return accepts_unary(loops, call);
}

// ---- copies and constants -----------------------------------------------------------------------

void copy(const Call& call) {
  const Index bytes = call.out[0].size() * item_size(call.out[0].dtype);
  const char* in = call.in[0].as<char>();
  char* out = call.out[0].as<char>();
  if (in == out) return;
  parallel_for(bytes, 4 * kGrain, [&](Index begin, Index end) {
    if (bytes < kStreamBytes) {
      std::memcpy(out + begin, in + begin, static_cast<std::size_t>(end - begin));
    } else {
      stream_run(out + begin, in + begin, end - begin);
      stream_end();
    }
  });
}

bool accepts_copy(const Call& call) { return call.in[0].dtype == call.out[0].dtype; }

template <int value>
void fill(const Call& call) {
  const Tensor& out = call.out[0];
  const Index item = item_size(out.dtype), n = out.size();
  alignas(64) char block[512];
  char one[8];
  const auto put = [&one](auto x) { std::memcpy(one, &x, sizeof x); };
  switch (out.dtype) {
    case DType::f64:
      put(double(value));
      break;
    case DType::f32:
      put(float(value));
      break;
    case DType::i64:
      put(std::int64_t{value});
      break;
    case DType::i32:
      put(std::int32_t{value});
      break;
    case DType::f16:
    case DType::bf16: {
      const float x = value;
      narrow(out.dtype, &x, one, 1);
      break;
    }
    default:
      put(std::uint8_t{value});
  }
  for (Index i = 0; i < 512; i += item) std::memcpy(block + i, one, static_cast<std::size_t>(item));
  const bool stream = n * item >= kStreamBytes;
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    const Index per_block = 512 / item;
    for (Index i = begin; i < end; i += per_block) {
      const Index bytes = std::min(per_block, end - i) * item;
      if (stream) {
        stream_copy(at(out.data, i * item), block, bytes);
      } else {
        std::memcpy(at(out.data, i * item), block, static_cast<std::size_t>(bytes));
      }
    }
    if (stream) stream_end();
  });
}

bool always(const Call&) { return true; }

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(unary) {
  using namespace baryon::BARYON_ISA;
#define NUMBERS(name, Op) add(name, run<kNumbers<Op>>, accepts<kNumbers<Op>>)
#define FLOATS(name, Op) add(name, run<kFloats<Op>>, accepts<kFloats<Op>>)
  NUMBERS("negative", Negative);
  NUMBERS("abs", Abs);
  NUMBERS("sign", Sign);
  NUMBERS("relu", Relu);
  NUMBERS("square", Square);
  NUMBERS("logical_not", LogicalNot);
  NUMBERS("clip", Clip);
  FLOATS("ceil", Ceil);
  FLOATS("floor", Floor);
  FLOATS("trunc", Trunc);
  FLOATS("round", Round);
  FLOATS("rint", Rint);
  FLOATS("sqrt", Sqrt);
  FLOATS("rsqrt", Rsqrt);
  FLOATS("reciprocal", Reciprocal);
  FLOATS("cbrt", Cbrt);
  FLOATS("rcbrt", Rcbrt);
  FLOATS("softsign", Softsign);
  FLOATS("degrees", Degrees);
  FLOATS("radians", Radians);
  FLOATS("hard_sigmoid", HardSigmoid);
  FLOATS("smooth_l1", SmoothL1);
#undef NUMBERS
#undef FLOATS
  add("_copy", copy, accepts_copy);
  add("zeros_like", fill<0>, always);
  add("ones_like", fill<1>, always);
}
