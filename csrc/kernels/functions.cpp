// Exponential, logarithmic, trigonometric and special functions.
#include <cmath>
#include <limits>

#include "loops.h"
#include "vinverse.h"

namespace baryon::BARYON_ISA {
namespace {

// A function that vmath has for float and double, and one that it computes in double only.
#define NATIVE(Name, function) \
  struct Name {                \
    template <class T>         \
    static T apply(T x) {      \
      return vm::function(x);  \
    }                          \
  };
#define IN_DOUBLE(Name, function)                                  \
  struct Name {                                                    \
    template <class T>                                             \
    static T apply(T x) {                                          \
      return static_cast<T>(vm::function(static_cast<double>(x))); \
    }                                                              \
  };
#define FLOAT_IN_DOUBLE(Name, function, library)                       \
  struct Name {                                                        \
    static float apply(float x) {                                      \
      return static_cast<float>(vm::function(static_cast<double>(x))); \
    }                                                                  \
    static double apply(double x) { return std::library(x); }          \
  };
#define LIBRARY(Name, function) \
  struct Name {                 \
    template <class T>          \
    static T apply(T x) {       \
      return std::function(x);  \
    }                           \
  };
NATIVE(Exp, exp)
NATIVE(Log, log)
NATIVE(Tanh, tanh)
NATIVE(Sigmoid, sigmoid)
IN_DOUBLE(Expm1, expm1)
IN_DOUBLE(Log2, log2)
IN_DOUBLE(Log1p, log1p)
IN_DOUBLE(Sinh, sinh)
IN_DOUBLE(Cosh, cosh)
LIBRARY(Log10Library, log10)
FLOAT_IN_DOUBLE(Arcsin, arcsin, asin)
FLOAT_IN_DOUBLE(Arccos, arccos, acos)
FLOAT_IN_DOUBLE(Arctan, arctan, atan)
FLOAT_IN_DOUBLE(Arcsinh, arcsinh, asinh)
FLOAT_IN_DOUBLE(Arccosh, arccosh, acosh)
FLOAT_IN_DOUBLE(Arctanh, arctanh, atanh)
LIBRARY(SinLibrary, sin)
LIBRARY(CosLibrary, cos)
LIBRARY(TanLibrary, tan)
LIBRARY(Gamma, tgamma)
IN_DOUBLE(SinFast, sin)
IN_DOUBLE(CosFast, cos)
IN_DOUBLE(TanFast, tan)
#undef NATIVE
#undef IN_DOUBLE
#undef FLOAT_IN_DOUBLE
#undef LIBRARY

struct Log10 {
  static float apply(float x) {
    return static_cast<float>(vm::log(static_cast<double>(x)) * 0.43429448190325182765);
  }
  static double apply(double x) { return Log10Library::apply(x); }
};

struct Erf {
  static float apply(float x) { return vm::erf(x); }
  static double apply(double x) { return std::erf(x); }
};

struct Gammaln {
  template <class T>
  static T apply(T x) {
    int sign;  // lgamma_r, as lgamma writes a global
    return static_cast<T>(lgamma_r(static_cast<double>(x), &sign));
  }
};

struct Erfinv {
  static float apply(float x) { return static_cast<float>(vm::erfinv(static_cast<double>(x))); }
  static double apply(double y) {
    double x = vm::erfinv(y);
    if (!(std::fabs(y) < 1) || y == 0) return x;
    for (int i = 0; i < 2; ++i) {  // Halley's steps, from the fitted value
      const double step = (std::erf(x) - y) * 0.88622692545275801365 * std::exp(x * x);
      x -= step / (1 + x * step);
    }
    return x;
  }
};

constexpr double kPi = 3.14159265358979323846;
constexpr double kBernoulli[] = {1. / 6,  -1. / 30,     1. / 42, -1. / 30,
                                 5. / 66, -691. / 2730, 7. / 6};

// Reflection to x >= 1/2, recurrence to x >= 8, asymptotic series.
struct Digamma {
  template <class T>
  static T apply(T value) {
    const double x = value;
    const bool low = x < 0.5;
    if (low && x == std::floor(x)) return std::numeric_limits<T>::infinity();
    double z = low ? 1 - x : x, total = 0;
    for (int i = 0; i < 8; ++i, z += 1) total -= 1 / z;
    const double square = 1 / (z * z);
    double term = square;
    total += std::log(z) - 0.5 / z;
    for (int k = 0; k < 7; ++k, term *= square) total -= kBernoulli[k] / (2 * (k + 1)) * term;
    if (low) total -= kPi / std::tan(kPi * (x - std::floor(x)));
    return static_cast<T>(total);
  }
};
struct Trigamma {
  template <class T>
  static T apply(T value) {
    const double x = value;
    const bool low = x < 0.5;
    double z = low ? 1 - x : x, total = 0;
    for (int i = 0; i < 8; ++i, z += 1) total += 1 / (z * z);
    const double square = 1 / (z * z);
    double term = square / z;
    total += 1 / z + square / 2;
    for (int k = 0; k < 7; ++k, term *= square) total += kBernoulli[k] * term;
    if (low) {
      const double ratio = kPi / std::sin(kPi * (x - std::floor(x)));
      total = ratio * ratio - total;
    }
    return static_cast<T>(total);
  }
};

// Blocks of moderate angles go through `Fast`; a block with a large one, an infinity or a NaN
// through the library.
template <class Fast, class Library, class T>
void angles(const void* in, void* out, Index n, const double* params) {
  constexpr Index block = 256;
  const T* x = static_cast<const T*>(in);
  for (Index i = 0; i < n; i += block) {
    const Index count = std::min(block, n - i);
    int large = 0;
    for (Index k = 0; k < count; ++k)
      large |= !(std::fabs(x[i + k]) <= static_cast<T>(vm::kTrigLimit));
    const UnaryLoop loop = large ? unary_loop<Library, T> : unary_loop<Fast, T>;
    loop(x + i, static_cast<T*>(out) + i, count, params);
  }
}

template <class Fast, class Library>
constexpr UnaryLoops angle_loops() {
  UnaryLoops loops;
  loops.loop[static_cast<int>(DType::f32)] = angles<Fast, Library, float>;
  loops.loop[static_cast<int>(DType::f64)] = angles<Fast, Library, double>;
  return loops;
}

template <class Op>
constexpr UnaryLoops kFloats = unary_loops<Op, float, double>();
constexpr UnaryLoops kSin = angle_loops<SinFast, SinLibrary>();
constexpr UnaryLoops kCos = angle_loops<CosFast, CosLibrary>();
constexpr UnaryLoops kTan = angle_loops<TanFast, TanLibrary>();

template <const UnaryLoops& loops>
void run(const Call& call) {
  run_unary(loops, call);
}
template <const UnaryLoops& loops>
bool accepts(const Call& call) {
  return accepts_unary(loops, call);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(functions) {
  using namespace baryon::BARYON_ISA;
#define FLOATS(name, Op) add(name, run<kFloats<Op>>, accepts<kFloats<Op>>)
  FLOATS("exp", Exp);
  FLOATS("expm1", Expm1);
  FLOATS("log", Log);
  FLOATS("log2", Log2);
  FLOATS("log10", Log10);
  FLOATS("log1p", Log1p);
  FLOATS("sigmoid", Sigmoid);
  FLOATS("sinh", Sinh);
  FLOATS("cosh", Cosh);
  FLOATS("tanh", Tanh);
  FLOATS("arcsin", Arcsin);
  FLOATS("arccos", Arccos);
  FLOATS("arctan", Arctan);
  FLOATS("arcsinh", Arcsinh);
  FLOATS("arccosh", Arccosh);
  FLOATS("arctanh", Arctanh);
  FLOATS("erf", Erf);
  FLOATS("erfinv", Erfinv);
  FLOATS("gamma", Gamma);
  FLOATS("gammaln", Gammaln);
  FLOATS("_digamma", Digamma);
  FLOATS("_trigamma", Trigamma);
#undef FLOATS
  add("sin", run<kSin>, accepts<kSin>);
  add("cos", run<kCos>, accepts<kCos>);
  add("tan", run<kTan>, accepts<kTan>);
}
