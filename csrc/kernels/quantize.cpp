// Floats as bytes and back, and layers that only scale bytes: sums and normalisation.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include "../parallel.h"
#include "quantized_range.h"
#include "simd.h"

namespace baryon::BARYON_ISA {
namespace {

// ---- floats as bytes and back -------------------------------------------------------------------

constexpr Int kGrain = 1 << 15;

// As many values of type T as a vector of Wide has lanes.
template <class T, class Wide>
struct Beside {
  typedef T Type __attribute__((vector_size(sizeof(T) * kLanes<Wide>), aligned(1), may_alias));
};

// The last values of an array, and zeros.
template <class T, Int count>
struct Padded {
  T at[count] = {};

  Padded(const T* from, Int there) { std::copy_n(from, there, at); }
};

// Floats as whole numbers of type To: ties go to even numbers, what is no number becomes the
// highest.
template <class To, class Wide>
class Rounding {
 public:
  using Made = typename Beside<To, Wide>::Type;

  Made operator()(Vector<Wide> value) const {
    value = value < high_ ? value : high_;
    value = value > low_ ? value : low_;
    value = (value + whole_) - whole_;
    return __builtin_convertvector(__builtin_convertvector(value, Whole), Made);
  }

 private:
  using Whole = typename Beside<Word, Wide>::Type;
  // Adding this leaves no digits behind the point.
  Vector<Wide> whole_ = broadcast(Wide(sizeof(Wide) == 4 ? 0x1.8p23 : 0x1.8p52));
  Vector<Wide> low_ = broadcast(Wide(std::numeric_limits<To>::min()));
  Vector<Wide> high_ = broadcast(Wide(std::numeric_limits<To>::max()));
};

template <class Wide, class T>
Vector<Wide> widened(const T* from) {
  using Taken = typename Beside<T, Wide>::Type;
  return __builtin_convertvector(*reinterpret_cast<const Taken*>(from), Vector<Wide>);
}

// to[i] = the rounded value(vector of from[i]...), for one or two arrays `from`.
template <class Wide, class To, class Value, class... From>
void rounded(Int count, To* to, const Value& value, const From*... from) {
  const Rounding<To, Wide> round;
  constexpr Int kStep = kLanes<Wide>;
  const auto step = [&](To* into, const From*... at) {
    *reinterpret_cast<typename Rounding<To, Wide>::Made*>(into) =
        round(value(widened<Wide>(at)...));
  };
  Int i = 0;
  for (; i + kStep <= count; i += kStep) step(to + i, (from + i)...);
  if (i == count) return;
  To made[kStep];
  step(made, Padded<From, kStep>(from + i, count - i).at...);
  std::copy_n(made, count - i, to + i);
}

template <class From, class To>
void scaled(const From* from, Int count, double scale, To* to) {
  using Wide = std::conditional_t<std::is_same_v<From, float>, float, double>;
  const Vector<Wide> factor = broadcast(static_cast<Wide>(scale));
  parallel_for(parts(count, kGrain), 1, [&](Int begin, Int end) {
    const Int first = begin * kGrain, length = std::min(end * kGrain, count) - first;
    rounded<Wide>(length, to + first, [&](Vector<Wide> x) { return x * factor; }, from + first);
  });
}

// The least and the greatest of some numbers.
template <class T>
std::array<double, 2> extremes(const T* data, Int count) {
  Vector<T> low = broadcast(data[0]), high = low;
  Int i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) {
    const Vector<T> value = load(data + i);
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  T least = data[0], most = data[0];
  for (int k = 0; k < kLanes<T>; ++k) {
    least = std::min<T>(least, low[k]);
    most = std::max<T>(most, high[k]);
  }
  for (; i < count; ++i) {
    least = std::min(least, data[i]);
    most = std::max(most, data[i]);
  }
  return {static_cast<double>(least), static_cast<double>(most)};
}

template <class From>
void to_bytes(const Call& call, double scale) {
  const From* from = call.in[0].as<From>();
  const Int count = call.in[0].size();
  call.out[0].dtype == DType::u8 ? scaled(from, count, scale, call.out[0].as<std::uint8_t>())
                                 : scaled(from, count, scale, call.out[0].as<Byte>());
}

// params: whether there is a calibrated range, and its ends.
bool calibrated(const Call& call) { return call.params[0] != 0; }
double calibrated_reach(const Call& call) {
  return std::max(std::abs(call.params[1]), std::abs(call.params[2]));
}

void requantize(const Call& call) {
  const double step = reach_of(call.in[1], call.in[2]) / kSteps32;
  double reach = calibrated_reach(call);
  if (!calibrated(call)) {
    const auto [low, high] = extremes(call.in[0].as<Word>(), call.in[0].size());
    reach = std::max(std::abs(low), std::abs(high)) * step;
  }
  const bool positive = call.out[0].dtype == DType::u8;
  to_bytes<Word>(call, reach > 0 ? step * (positive ? 255 : kSteps8) / reach : 0);
  write_range(call, reach);
  if (positive) *call.out[1].as<float>() = 0;
}

void quantize(const Call& call) {
  double low = call.params[1], high = call.params[2];
  if (!calibrated(call)) {
    const auto [least, most] = extremes(call.in[0].as<float>(), call.in[0].size());
    low = least, high = most;
  }
  const double reach = std::max(std::abs(low), std::abs(high));
  const bool positive = call.out[0].dtype == DType::u8;
  to_bytes<float>(call, (positive ? 255.5 : 127.5) / reach);
  write_range(call, reach);
  if (positive) {
    *call.out[1].as<float>() = static_cast<float>(low);
    *call.out[2].as<float>() = static_cast<float>(high);
  }
}

template <class From>
void to_floats(const Call& call, double step) {
  const From* from = call.in[0].as<From>();
  float* to = call.out[0].as<float>();
  parallel_for(call.in[0].size(), kGrain, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) to[i] = static_cast<float>(from[i] * step);
  });
}

void dequantize(const Call& call) {
  const double reach = reach_of(call.in[1], call.in[2]);
  call.in[0].dtype == DType::u8 ? to_floats<std::uint8_t>(call, reach / 255.5)
                                : to_floats<Byte>(call, reach / 127.5);
}

// ---- sums and normalisation ---------------------------------------------------------------------

template <class L, class R, class To>
void sum_of(const Call& call, double left, double right) {
  const L* lhs = call.in[0].as<L>();
  const R* rhs = call.in[1].as<R>();
  To* to = call.out[0].as<To>();
  const Vector<double> a = broadcast(left), b = broadcast(right);
  const Int count = call.in[0].size();
  parallel_for(parts(count, kGrain), 1, [&](Int begin, Int end) {
    const Int first = begin * kGrain, length = std::min(end * kGrain, count) - first;
    rounded<double>(
        length, to + first, [&](Vector<double> x, Vector<double> y) { return x * a + y * b; },
        lhs + first, rhs + first);
  });
}

// params: as for `calibrated`.
void sum_of_bytes(const Call& call) {
  const double left = reach_of(call.in[2], call.in[3]), right = reach_of(call.in[4], call.in[5]);
  const DType lhs = call.in[0].dtype, rhs = call.in[1].dtype, to = call.out[0].dtype;
  double reach = left + right, steps = kSteps32;
  write_range(call, reach);
  if (calibrated(call)) {
    reach = calibrated_reach(call), steps = half_steps(to);
    *call.out[1].as<float>() = static_cast<float>(call.params[1]);
    *call.out[2].as<float>() = static_cast<float>(call.params[2]);
  }
  const double scale = reach > 0 ? steps / reach : 0;
  const double a = left / half_steps(lhs) * scale, b = right / half_steps(rhs) * scale;
  const auto by_result = [&](auto l, auto r) {
    using L = decltype(l);
    using R = decltype(r);
    if (to == DType::i32) return sum_of<L, R, Word>(call, a, b);
    to == DType::u8 ? sum_of<L, R, std::uint8_t>(call, a, b) : sum_of<L, R, Byte>(call, a, b);
  };
  const auto by_right = [&](auto l) {
    rhs == DType::u8 ? by_result(l, std::uint8_t{}) : by_result(l, Byte{});
  };
  lhs == DType::u8 ? by_right(std::uint8_t{}) : by_right(Byte{});
}

template <class T>
void normalized(const Call& call, Int outer, Int channels, Int inner, const float* scale,
                const float* shift) {
  const T* data = call.in[0].as<T>();
  Byte* to = call.out[0].as<Byte>();
  parallel_for(outer * channels, 1 + kGrain / (inner + 1), [&](Int begin, Int end) {
    for (Int row = begin; row < end; ++row) {
      const Vector<float> a = broadcast(scale[row % channels]);
      const Vector<float> b = broadcast(shift[row % channels]);
      rounded<float>(
          inner, to + row * inner, [&](Vector<float> x) { return x * a + b; }, data + row * inner);
    }
  });
}

// params: as for `calibrated`, then whether gamma is 1, epsilon, and data as outer, channels,
// inner.
void norm_of_bytes(const Call& call) {
  const Int outer = static_cast<Int>(call.params[5]), channels = static_cast<Int>(call.params[6]);
  const Int inner = static_cast<Int>(call.params[7]);
  *call.out[1].as<float>() = static_cast<float>(call.params[1]);
  *call.out[2].as<float>() = static_cast<float>(call.params[2]);
  const double step = reach_of(call.in[5], call.in[6]) / half_steps(call.in[0].dtype);
  const double steps = 127.5 / calibrated_reach(call);
  const auto state = [&](int i, Int c) { return static_cast<double>(call.in[i].as<float>()[c]); };
  Scratch<float> scale(channels + 1), shift(channels + 1);
  for (Int c = 0; c < channels; ++c) {
    const double gamma = call.params[3] != 0 ? 1 : state(1, c);
    const double factor = gamma / std::sqrt(state(4, c) + call.params[4]);
    scale.get()[c] = static_cast<float>(factor * step * steps);
    shift.get()[c] = static_cast<float>((state(2, c) - state(3, c) * factor) * steps);
  }
  const auto run = call.in[0].dtype == DType::u8 ? normalized<std::uint8_t> : normalized<Byte>;
  run(call, outer, channels, inner, scale.get(), shift.get());
}

template <DType kind>
bool takes(const Call& call) {
  return call.in[0].dtype == kind && call.in[0].size() > 0;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(quantize) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("_contrib_quantized_elemwise_add", sum_of_bytes, takes_bytes);
  add("_contrib_quantized_batch_norm", norm_of_bytes, takes_bytes);
  add("_contrib_requantize", requantize, takes<DType::i32>);
  add("_contrib_quantize_v2", quantize, takes<DType::f32>);
  add("_contrib_dequantize", dequantize, takes_bytes);
}
