// Convolution, its gradients, and Deconvolution, on arrays with the channels first.
#include <algorithm>

#include "../kernel.h"
#include "../parallel.h"
#include "conv_data.h"
#include "conv_weight.h"
#include "widened.h"

namespace baryon::BARYON_ISA {
namespace {

// data, weight[, bias] -> out.
template <class T>
void forward(const Call& call) {
  const ConvShape s = conv_shape(call, call.in[0], call.out[0]);
  if (s.batch == 0 || s.filters == 0 || volume(s.out) == 0) return;
  const T* bias = call.n_in == 3 ? call.in[2].as<T>() : nullptr;
  ConvProduct<T> p{};
  p.groups = s.groups;
  p.rows = s.filters_per_group();
  p.channels = s.channels_per_group();
  p.taps = taps_of(s);
  for (Int i = 0; i < s.taps(); ++i) p.tap_index.push_back(i);
  p.batch = s.batch;
  p.grid = s.out;
  p.images = images_of(call.in[0].as<T>(), s.batch, s.channels, s.in);
  p.images.step = s.stride;
  p.weights = {call.in[1].as<T>(), p.rows * s.depth(), s.depth(), s.taps()};
  p.bias = bias;
  p.target = target_of(call.out[0].as<T>(), s.filters, s.out);
  run_product(s, p);
}

// head, weight -> gradient by data.
template <class T>
void backward_data(const Call& call) {
  const ConvShape s = conv_shape(call, call.out[0], call.in[0]);
  spread(s, call.in[0].as<T>(), call.in[1].as<T>(), static_cast<const T*>(nullptr),
         call.out[0].as<T>());
}

// data, weight[, bias] -> out: the gradient by data of the convolution that takes out to data.
template <class T>
void deconvolution(const Call& call) {
  const ConvShape s = conv_shape(call, call.out[0], call.in[0]);
  spread(s, call.in[0].as<T>(), call.in[1].as<T>(), call.n_in == 3 ? call.in[2].as<T>() : nullptr,
         call.out[0].as<T>());
}

// head, data -> gradients by weight and bias (where there is one).
template <class T>
void backward_weight(const Call& call) {
  const ConvShape s = conv_shape(call, call.in[1], call.in[0]);
  gather_weights(s, call.in[0].as<T>(), call.in[1].as<T>(), call.out[0].as<T>());
  if (call.n_out == 2) gather_bias(s, call.in[0].as<T>(), call.out[1].as<T>());
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(convolution) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("Convolution", by_float_type<forward<float>, forward<double>>, accepts_floats);
  add("Deconvolution", by_float_type<deconvolution<float>, deconvolution<double>>, accepts_floats);
  add("_backward_Convolution_data", by_float_type<backward_data<float>, backward_data<double>>,
      accepts_floats);
  add("_backward_Convolution_weight",
      by_float_type<backward_weight<float>, backward_weight<double>>, accepts_floats);
}
