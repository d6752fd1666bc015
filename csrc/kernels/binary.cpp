// Arithmetic, comparison and logic on two tensors (broadcasting) or on a tensor and a number.
#include <cmath>
#include <type_traits>

#include "loops.h"
#include "vmath.h"

namespace baryon::BARYON_ISA {
namespace {

// Integers are added, subtracted and multiplied as unsigned numbers, which wrap.
template <class T>
using Wrapping = std::conditional_t<std::is_integral_v<T>, std::uint64_t, T>;

struct Add {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
};
struct Sub {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  }
};
struct Mul {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
};
struct Div {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == T(0)) return T(0);
      if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Sub::apply(T(0), a);
      return static_cast<T>(a / b);
    } else {
      return a / b;
    }
  }
};
struct Mod {  // the sign of the divisor; 0 for divisor 0
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == T(0) || (std::is_signed_v<T> && b == static_cast<T>(-1))) return T(0);
      const T rest = static_cast<T>(a % b);
      return rest != T(0) && (rest < T(0)) != (b < T(0)) ? static_cast<T>(rest + b) : rest;
    } else {
      if (b == T(0)) return T(0);
      const T rest = std::fmod(a, b);
      if (rest == T(0)) return std::copysign(T(0), b);
      return (rest < T(0)) != (b < T(0)) ? rest + b : rest;
    }
  }
};
struct Power {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, float>) {
      return single(a, b);
    } else {
      return static_cast<T>(std::pow(static_cast<double>(a), static_cast<double>(b)));
    }
  }

 private:
  static float single(float a, float b) {
    const double x = a, y = b;
    const double size = vm::exp(y * vm::log(vm::absolute(x)));
    const double half = 0.5 * y;
    const bool integer = std::trunc(y) == y, odd = integer && std::trunc(half) != half;
    double value =
        x < 0 && !integer && vm::absolute(x) < vm::kInf<double> ? vm::kNan<double> : size;
    value = odd ? vm::with_sign_of(value, x) : value;
    value = x == -1 && vm::absolute(y) == vm::kInf<double> ? 1 : value;
    return static_cast<float>(x == 1 || y == 0 ? 1 : value);
  }
};
struct SquareOf {
  template <class T>
  static T apply(T a, T) {
    return a * a;
  }
};
struct RootOf {  // pow takes -0 to 0 and -inf to inf
  template <class T>
  static T apply(T a, T) {
    return a == -vm::kInf<T> ? vm::kInf<T> : std::sqrt(a) + T(0);
  }
};
struct Hypot {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, float>) {
      const double x = a, y = b;
      const double length = std::sqrt(x * x + y * y);
      const bool infinite =
          vm::absolute(x) == vm::kInf<double> || vm::absolute(y) == vm::kInf<double>;
      return static_cast<float>(infinite ? vm::kInf<double> : length);
    } else {
      return static_cast<T>(std::hypot(static_cast<double>(a), static_cast<double>(b)));
    }
  }
};
struct Maximum {
  template <class T>
  static T apply(T a, T b) {
    return a > b || a != a ? a : b;
  }
};
struct Minimum {
  template <class T>
  static T apply(T a, T b) {
    return a < b || a != a ? a : b;
  }
};

#define TEST(Name, condition)          \
  struct Name {                        \
    template <class T>                 \
    static bool test(T a, T b) {       \
      return condition;                \
    }                                  \
    template <class T>                 \
    static T apply(T a, T b) {         \
      return test(a, b) ? T(1) : T(0); \
    }                                  \
  };
TEST(Equal, a == b)
TEST(NotEqual, a != b)
TEST(Greater, a > b)
TEST(GreaterEqual, a >= b)
TEST(Lesser, a < b)
TEST(LesserEqual, a <= b)
TEST(And, (a != T(0)) & (b != T(0)))
TEST(Or, (a != T(0)) | (b != T(0)))
TEST(Xor, (a != T(0)) ^ (b != T(0)))
#undef TEST

template <class Op>
constexpr BinaryLoops kNumbers =
    binary_loops<Op, float, double, std::int32_t, std::int64_t, std::int8_t, std::uint8_t>();
template <class Op>
constexpr BinaryLoops kFloats = binary_loops<Op, float, double>();

// Tests whose answers are bytes.
template <class Op, class T, bool a_varies, bool b_varies>
void test_loop(const void* a, const void* b, void* out, Index n) {
  const T* x = static_cast<const T*>(a);
  const T* w = static_cast<const T*>(b);
  std::uint8_t* y = static_cast<std::uint8_t*>(out);
  const T left = *x, right = *w;
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i)
    y[i] = Op::test(a_varies ? x[i] : left, b_varies ? w[i] : right) ? 1 : 0;
}
template <class Op, class T>
constexpr BinaryRuns test_runs() {
  return {test_loop<Op, T, true, true>, test_loop<Op, T, true, false>,
          test_loop<Op, T, false, true>};
}
template <class Op, class... T>
constexpr BinaryLoops test_loops() {
  BinaryLoops loops;
  ((loops.runs[static_cast<int>(dtype_of<T>())] = test_runs<Op, T>()), ...);
  loops.runs[static_cast<int>(DType::b8)] = test_runs<Op, std::uint8_t>();
  return loops;
}
template <class Op>
constexpr BinaryLoops kTests =
    test_loops<Op, float, double, std::int32_t, std::int64_t, std::int8_t, std::uint8_t>();

// Float remainders from the quotient in double, which is exact below 2^29.
struct ModFast {
  static float apply(float a, float b) {
    const double x = a, y = b;
    const double rest = x - std::trunc(x / y) * y;
    const double moved = (rest < 0) != (y < 0) ? rest + y : rest;
    return static_cast<float>(rest == 0 ? vm::with_sign_of(0.0, y) : moved);
  }
};

// Blocks with a larger quotient, an infinity or a NaN go through the library.
void mod_floats(const void* a, const void* b, void* out, Index n) {
  constexpr Index block = 256;
  const float *x = static_cast<const float*>(a), *y = static_cast<const float*>(b);
  float* z = static_cast<float*>(out);
  for (Index i = 0; i < n; i += block) {
    const Index count = std::min(block, n - i);
    int hard = 0;
    for (Index k = i; k < i + count; ++k)
      hard |= !(std::fabs(x[k] / y[k]) < 0x1p28f) | !(std::fabs(y[k]) < vm::kInf<float>);
    const BinaryLoop loop =
        hard ? binary_loop<Mod, float, true, true> : binary_loop<ModFast, float, true, true>;
    loop(x + i, y + i, z + i, count);
  }
}

constexpr BinaryLoops mod_loops() {
  BinaryLoops loops = kNumbers<Mod>;
  loops.runs[static_cast<int>(DType::f32)] = filled_runs<mod_floats, float>();
  return loops;
}
constexpr BinaryLoops power_loops() {
  BinaryLoops loops = kFloats<Power>;
  loops.runs[static_cast<int>(DType::f32)] =
      filled_runs<binary_loop<Power, float, true, true>, float>();
  return loops;
}
constexpr BinaryLoops kMod = mod_loops(), kPower = power_loops();

bool one_dtype(const BinaryLoops& loops, const Call& call) {
  const DType dtype = call.in[0].dtype;
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].dtype != dtype) return false;
  return call.out[0].dtype == dtype && loops.of(dtype).vv != nullptr;
}

template <const BinaryLoops& loops>
bool accepts(const Call& call) {
  return one_dtype(loops, call);
}
template <const BinaryLoops& loops>
bool accepts_test(const Call& call) {
  const DType dtype = call.in[0].dtype;
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].dtype != dtype) return false;
  return call.out[0].dtype == DType::b8 && loops.of(dtype).vv != nullptr;
}
template <const BinaryLoops& loops>
void two(const Call& call) {
  run_binary(loops, call);
}
template <const BinaryLoops& loops, bool reversed>
void number(const Call& call) {
  run_scalar(loops, call, reversed);
}

// data ** scalar, with products and roots for the exponents that networks use.
void power_scalar(const Call& call) {
  const double exponent = call.params[0];
  const bool real = call.in[0].dtype != DType::i32 && call.in[0].dtype != DType::i64 &&
                    item_size(call.in[0].dtype) > 1;
  if (real && exponent == 2) return run_scalar(kFloats<SquareOf>, call, false);
  if (real && exponent == 0.5) return run_scalar(kFloats<RootOf>, call, false);
  if (real && exponent == 1) return run_scalar(kFloats<Mul>, call, false);
  run_scalar(kPower, call, false);
}

// ---- the sum of any number of tensors -----------------------------------------------------------

void add_n(const Call& call) {
  const DType dtype = call.in[0].dtype;
  const BinaryLoop add = kNumbers<Add>.of(dtype).vv;
  const Index item = item_size(dtype);
  parallel_for(call.out[0].size(), kGrain, [&](Index begin, Index end) {
    for (Index i = begin; i < end; i += kBlock) {
      const Index n = std::min(kBlock, end - i);
      alignas(64) char sum[kBlock * 8], term[kBlock * 8];
      if (is_half(dtype)) {
        widen(dtype, at(call.in[0].data, i * item), reinterpret_cast<float*>(sum), n);
      } else {
        std::memcpy(sum, at(call.in[0].data, i * item), static_cast<std::size_t>(n * item));
      }
      for (int k = 1; k < call.n_in; ++k) {
        const void* next = at(call.in[k].data, i * item);
        if (is_half(dtype)) {
          widen(dtype, next, reinterpret_cast<float*>(term), n);
          next = term;
        }
        add(sum, next, sum, n);
      }
      if (is_half(dtype)) {
        narrow(dtype, reinterpret_cast<float*>(sum), at(call.out[0].data, i * item), n);
      } else {
        std::memcpy(at(call.out[0].data, i * item), sum, static_cast<std::size_t>(n * item));
      }
    }
  });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(binary) {
  using namespace baryon::BARYON_ISA;
#define BOTH(name, Kind, Op) add("broadcast_" name, two<Kind<Op>>, accepts<Kind<Op>>)
#define SCALAR(name, Kind, Op, reversed) add(name, number<Kind<Op>, reversed>, accepts<Kind<Op>>)
  BOTH("add", kNumbers, Add);
  BOTH("sub", kNumbers, Sub);
  BOTH("mul", kNumbers, Mul);
  BOTH("div", kNumbers, Div);
  BOTH("hypot", kFloats, Hypot);
  BOTH("maximum", kNumbers, Maximum);
  BOTH("minimum", kNumbers, Minimum);
  SCALAR("_plus_scalar", kNumbers, Add, false);
  SCALAR("_minus_scalar", kNumbers, Sub, false);
  SCALAR("_rminus_scalar", kNumbers, Sub, true);
  SCALAR("_mul_scalar", kNumbers, Mul, false);
  SCALAR("_div_scalar", kNumbers, Div, false);
  SCALAR("_rdiv_scalar", kNumbers, Div, true);
  SCALAR("_hypot_scalar", kFloats, Hypot, false);
  SCALAR("_maximum_scalar", kNumbers, Maximum, false);
  SCALAR("_minimum_scalar", kNumbers, Minimum, false);
#define LOGIC(name, Op)     \
  BOTH(name, kNumbers, Op); \
  SCALAR("_" name "_scalar", kNumbers, Op, false)
  LOGIC("equal", Equal);
  LOGIC("not_equal", NotEqual);
  LOGIC("greater", Greater);
  LOGIC("greater_equal", GreaterEqual);
  LOGIC("lesser", Lesser);
  LOGIC("lesser_equal", LesserEqual);
  LOGIC("logical_and", And);
  LOGIC("logical_or", Or);
  LOGIC("logical_xor", Xor);
#undef LOGIC
#define COMPARE(name, Op)                                       \
  add("_npi_" name, two<kTests<Op>>, accepts_test<kTests<Op>>); \
  add("_npi_" name "_scalar", number<kTests<Op>, false>, accepts_test<kTests<Op>>)
  COMPARE("equal", Equal);
  COMPARE("not_equal", NotEqual);
  COMPARE("greater", Greater);
  COMPARE("greater_equal", GreaterEqual);
  COMPARE("less", Lesser);
  COMPARE("less_equal", LesserEqual);
#undef COMPARE
#undef SCALAR
#undef BOTH
  add("broadcast_mod", two<kMod>, accepts<kMod>);
  add("_mod_scalar", number<kMod, false>, accepts<kMod>);
  add("_rmod_scalar", number<kMod, true>, accepts<kMod>);
  add("broadcast_power", two<kPower>, accepts<kPower>);
  add("_power_scalar", power_scalar, accepts<kPower>);
  add("_rpower_scalar", number<kPower, true>, accepts<kPower>);
  add("add_n", add_n, accepts<kNumbers<Add>>);
}
