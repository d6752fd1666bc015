// Inverse functions of floats without branches or calls, computed in double: arcsines, areasines,
// roots and the inverse error function. Within 1 ulp of float.
//
// The series are fitted to a relative error of 1e-9 on the reduced range.
#pragma once

#include "vmath.h"

namespace baryon::BARYON_ISA::vm {

// atan(x) / x in x^2 on [0, 1].
inline constexpr double kArctan[] = {
    0.9999999999891587,    -0.3333333296322004,  0.19999978867520926,  -0.14285235228424012,
    0.11105397138652967,   -0.09049682143405254, 0.07497041842305412,  -0.060263494761296325,
    0.043711371964355136,  -0.02607284674405901, 0.011471439839444668, -0.0032119347291768886,
    0.00042195271089084116};
// (asin(x) - x) / x^3 in x^2 on [0, 1/4].
inline constexpr double kArcsin[] = {
    0.16666666665495786, 0.0750000059845536,  0.044642358725441596, 0.03039762848051962,
    0.02213250648320732, 0.01930590192360371, 0.005444202890610638, 0.029304103853205726};
// erfinv(x) / x in w = -log(1 - x^2) on [0, 5], and in sqrt(w) beyond.
inline constexpr double kErfinvNear[] = {
    0.8862269257923294,     0.2320136457187611,      0.011549548668594041,
    -0.002335887410504853,  -0.00012653859321917608, 4.4969442835229074e-05,
    3.0944222879111724e-06, -1.4279350683327678e-06, 4.2885908796692384e-08,
    2.400731911246912e-08,  -3.239946274477325e-09,  1.336832999588251e-10};
inline constexpr double kErfinvFar[] = {
    -2.1174012944298823,  9.381300875456635,    -12.180211641543641,    8.831723439416313,
    -3.407422990097628,   0.499072656471864,    0.14806228762293072,    -0.09619851210739762,
    0.023881282072739072, -0.00329066818074526, 0.00024824473607299005, -8.051397677872154e-06};
constexpr double kHalfPi = 1.57079632679489661923;

inline double arctan(double x) {
  const double a = absolute(x);
  const double t = a > 1 ? 1 / a : a;
  const double near = t * polynomial(t * t, kArctan);
  return with_sign_of(a > 1 ? kHalfPi - near : near, x);
}

// asin of |x| <= 1/2.
inline double arcsin_near(double x) {
  const double square = x * x;
  return x + x * square * polynomial(square, kArcsin);
}

inline double arcsin(double x) {
  const double a = absolute(x);
  const double t = a > 0.5 ? std::sqrt(0.5 * (1 - a)) : a;  // NaN beyond 1
  const double near = arcsin_near(t);
  return with_sign_of(a > 0.5 ? kHalfPi - 2 * near : near, x);
}

inline double arccos(double x) {
  const double a = absolute(x);
  const double t = a > 0.5 ? std::sqrt(0.5 * (1 - a)) : a;
  const double near = arcsin_near(t);
  const double inside = kHalfPi - with_sign_of(near, x);
  const double outside = x < 0 ? 2 * (kHalfPi - near) : 2 * near;
  return a > 0.5 ? outside : inside;
}

inline double arcsinh(double x) {
  const double a = absolute(x), limited = a > 1e100 ? 1e100 : a;
  const double square = limited * limited;
  return with_sign_of(log1p(a + square / (1 + std::sqrt(1 + square))), x);
}

inline double arccosh(double x) {
  const double above = x - 1;
  const double value = log1p(above + std::sqrt(2 * above + above * above));
  return x < 1 ? kNan<double> : value;
}

inline double arctanh(double x) { return 0.5 * log1p(2 * x / (1 - x)); }

inline double cbrt(double x) {  // of a float: zeros and infinities come out by themselves
  const Parts<double> p = parts(absolute(x));
  const double log_x = p.e * 0x1.62e42fefa39efp-1 + log_near_one(p.m);
  const double value = with_sign_of(exp(log_x / 3), x);
  return x == x ? value : x;
}

inline double erfinv(double x) {
  const double a = absolute(x);
  const double w = -log((1 - a) * (1 + a));
  const double root = std::sqrt(w);
  const double value = x * (w < 5 ? polynomial(w, kErfinvNear) : polynomial(root, kErfinvFar));
  const double edge = a == 1 ? with_sign_of(kInf<double>, x) : kNan<double>;
  return a < 1 ? value : edge;
}

}  // namespace baryon::BARYON_ISA::vm
