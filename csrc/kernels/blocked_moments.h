// Means and deviations of the channels of blocked images.
//
// Sums are of differences from a value of the channel, so that they are exact with means far from
// 0: in float over runs of pixels, in double from run to run. How they are cut depends on the
// shapes alone.
#pragma once

#include <algorithm>
#include <cmath>

#include "../parallel.h"
#include "blocked_tile.h"

namespace baryon::BARYON_ISA {

constexpr Int kWork = 16384;  // elements that are worth another thread

struct BlockedLayout {
  Int batch, blocks, pixels;
  Int given;  // channels in use

  double count() const { return static_cast<double>(std::max<Int>(batch * pixels, 1)); }
  Int plane() const { return pixels * kBlock; }
  Int channels() const { return blocks * kBlock; }
};

// Two sums a channel: terms(offset of a vector, block, u, v) gives their terms.
template <class Terms>
void two_sums(const BlockedLayout& l, double* one, double* two, const Terms& terms) {
  constexpr Int kRun = 256;  // pixels summed in float
  constexpr Int kParts = 8;  // of the batch at most, each with sums of its own
  const Int cuts = std::clamp<Int>(l.batch, 1, kParts), channels = l.channels();
  const Scratch<double> sums(2 * cuts * channels);
  parallel_for(cuts * l.blocks, 1 + kWork / (1 + l.batch / cuts * l.plane()),
               [&](Int begin, Int end) {
                 for (Int i = begin; i < end; ++i) {
                   const Int cut = i / l.blocks, block = i % l.blocks;
                   double a[kBlock] = {}, b[kBlock] = {};
                   for (Int n = l.batch * cut / cuts; n < l.batch * (cut + 1) / cuts; ++n)
                     for (Int p = 0; p < l.pixels; p += kRun) {
                       const Int at = (n * l.blocks + block) * l.plane() + p * kBlock;
                       const Int count = std::min(kRun, l.pixels - p);
                       Lane u[2] = {}, v[2] = {};
                       for (Int k = 0; k + 1 < count; k += 2) {
                         terms(at + k * kBlock, block, u[0], v[0]);
                         terms(at + k * kBlock + kBlock, block, u[1], v[1]);
                       }
                       if (count % 2 != 0) terms(at + (count - 1) * kBlock, block, u[0], v[0]);
                       for (int c = 0; c < kBlock; ++c) {
                         a[c] += static_cast<double>(u[0][c] + u[1][c]);
                         b[c] += static_cast<double>(v[0][c] + v[1][c]);
                       }
                     }
                   std::copy_n(a, kBlock, sums.get() + (2 * cut) * channels + block * kBlock);
                   std::copy_n(b, kBlock, sums.get() + (2 * cut + 1) * channels + block * kBlock);
                 }
               });
  for (Int k = 0; k < channels; ++k) {
    one[k] = two[k] = 0;
    for (Int cut = 0; cut < cuts; ++cut) {
      one[k] += sums.get()[2 * cut * channels + k];
      two[k] += sums.get()[(2 * cut + 1) * channels + k];
    }
  }
}

// Of each channel: the mean, and 1 over the deviation.
struct Moments {
  float *mean, *scale;
  double eps;

  void set(Int k, double middle, double variance) const {
    mean[k] = static_cast<float>(middle);
    scale[k] = static_cast<float>(1 / std::sqrt(variance + eps));
  }
};

// In one pass over images.
inline void measure(const BlockedLayout& l, const float* x, const Moments& moments) {
  const Scratch<double> sums(2 * l.channels());
  double *one = sums.get(), *two = one + l.channels();
  two_sums(l, one, two, [=](Int at, Int block, Lane& u, Lane& v) {
    const Lane apart = load(x + at) - load(x + block * l.plane());
    u += apart;
    v += apart * apart;
  });
  for (Int k = 0; k < l.channels(); ++k) {
    const double shift = one[k] / l.count();
    const float first = l.batch * l.pixels == 0 ? 0 : x[k / kBlock * l.plane() + k % kBlock];
    const double variance = std::max(0.0, two[k] / l.count() - shift * shift);
    moments.set(k, static_cast<double>(first) + shift, two[k] != two[k] ? two[k] : variance);
  }
}

// The same put together from parts of the images (Chan), while somebody writes these.
class PartMoments {
 public:
  PartMoments(Int parts, Int channels)
      : parts_(parts), channels_(channels), sums_(2 * parts * channels), counts_(parts) {}

  // Sums of `count` differences from `shift` and of their squares, for a block of channels.
  void set(Int part, Int block, Int count, Lane shift, Lane one, Lane two) const {
    const auto n = static_cast<double>(count);
    double* to = sums_.get() + 2 * part * channels_ + block * kBlock;
    for (int c = 0; c < kBlock; ++c) {
      const double a = static_cast<double>(one[c]), b = static_cast<double>(two[c]);
      to[c] = static_cast<double>(shift[c]) + a / n;
      to[channels_ + c] = b - a * a / n;
    }
    if (block == 0) counts_.get()[part] = n;
  }

  void join(const Moments& moments) const {
    double all = 0;
    for (Int i = 0; i < parts_; ++i) all += counts_.get()[i];
    for (Int k = 0; k < channels_; ++k) {
      const double* from = sums_.get() + k;
      double mean = 0, apart = 0;
      for (Int i = 0; i < parts_; ++i) mean += counts_.get()[i] * from[2 * i * channels_];
      mean /= all;
      for (Int i = 0; i < parts_; ++i) {
        const double d = from[2 * i * channels_] - mean;
        apart += from[(2 * i + 1) * channels_] + counts_.get()[i] * d * d;
      }
      moments.set(k, mean, apart < 0 ? 0 : apart / all);
    }
  }

 private:
  Int parts_, channels_;
  Scratch<double> sums_, counts_;
};

}  // namespace baryon::BARYON_ISA
