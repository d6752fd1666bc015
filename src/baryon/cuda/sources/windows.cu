// Sliding windows over up to three spatial axes: pooling, and images as columns. Types: T of the
// data, I of positions (32 bits where they suffice).

typedef Wide<T>::type A;

struct Geometry {  // a missing axis has size 1
  int size[3], out[3], kernel[3], stride[3], dilate[3], pad[3];

  __device__ int area() const { return size[0] * size[1] * size[2]; }
  __device__ int windows() const { return out[0] * out[1] * out[2]; }
  __device__ int places() const { return kernel[0] * kernel[1] * kernel[2]; }
};

struct Place {
  int at[3];
  __device__ Place(int flat, const int* sizes) {
    at[2] = flat % sizes[2];
    at[1] = flat / sizes[2] % sizes[1];
    at[0] = flat / (sizes[1] * sizes[2]);
  }
};

// An element of (images, channels, *sizes), or with the channels last, in memory order.
struct Element {
  I image, channel;
  int place;
  __device__ Element(I flat, I channels, int places, int last) {
    const I rest = flat / channels;
    channel = last ? flat % channels : flat / places % channels;
    place = last ? rest % places : flat % places;
    image = flat / (channels * places);
  }
  // Where the plane of this element's image and channel begins, in an array of `area` places.
  __device__ I plane(I channels, int area, int last) const {
    return last ? image * area * channels + channel : (image * channels + channel) * area;
  }
};

// Calls visit(flat place of the input, flat place in the kernel) for all of a window that is inside.
template <class Visit>
__device__ inline void each_place(const Geometry& g, int window, const Visit& visit) {
  const Place o(window, g.out);
  for (int a = 0; a < g.kernel[0]; ++a) {
    const int z = o.at[0] * g.stride[0] - g.pad[0] + a * g.dilate[0];
    if (z < 0 || z >= g.size[0]) continue;
    for (int b = 0; b < g.kernel[1]; ++b) {
      const int y = o.at[1] * g.stride[1] - g.pad[1] + b * g.dilate[1];
      if (y < 0 || y >= g.size[1]) continue;
      for (int c = 0; c < g.kernel[2]; ++c) {
        const int x = o.at[2] * g.stride[2] - g.pad[2] + c * g.dilate[2];
        if (x < 0 || x >= g.size[2]) continue;
        visit((z * g.size[1] + y) * g.size[2] + x, (a * g.kernel[1] + b) * g.kernel[2] + c);
      }
    }
  }
}

// Calls visit(flat window, flat place in the kernel) for all windows that meet a place of the input.
template <class Visit>
__device__ inline void each_window(const Geometry& g, int place, const Visit& visit) {
  const Place p(place, g.size);
  for (int a = 0; a < g.kernel[0]; ++a) {
    const int z = p.at[0] + g.pad[0] - a * g.dilate[0];
    if (z < 0 || z % g.stride[0] || z / g.stride[0] >= g.out[0]) continue;
    for (int b = 0; b < g.kernel[1]; ++b) {
      const int y = p.at[1] + g.pad[1] - b * g.dilate[1];
      if (y < 0 || y % g.stride[1] || y / g.stride[1] >= g.out[1]) continue;
      for (int c = 0; c < g.kernel[2]; ++c) {
        const int x = p.at[2] + g.pad[2] - c * g.dilate[2];
        if (x < 0 || x % g.stride[2] || x / g.stride[2] >= g.out[2]) continue;
        visit((z / g.stride[0] * g.out[1] + y / g.stride[1]) * g.out[2] + x / g.stride[2],
              (a * g.kernel[1] + b) * g.kernel[2] + c);
      }
    }
  }
}

// ---- pooling -------------------------------------------------------------------------------------

enum Kind { kMax, kAverage, kSum, kPower };

// Elements that a window averages over: cut to the padded input, or to the input itself.
__device__ inline A averaged(const Geometry& g, int window, int with_padding) {
  const Place o(window, g.out);
  A count = 1;
  for (int k = 0; k < 3; ++k) {
    int begin = o.at[k] * g.stride[k] - g.pad[k];
    int end = min(begin + g.kernel[k], g.size[k] + g.pad[k]);
    if (!with_padding) {
      begin = max(begin, 0);
      end = min(end, g.size[k]);
    }
    count *= max(end - begin, 1);
  }
  return count;
}

extern "C" __global__ void pool(const T* data, T* out, Geometry g, I count, I channels, int last,
                                int kind, int with_padding, int power, A least) {
  for (I i = first_element(); i < count; i += all_threads()) {
    const Element e(i, channels, g.windows(), last);
    const T* x = data + e.plane(channels, g.area(), last);
    const I step = last ? channels : 1;
    A value = kind == kMax ? least : A(0);
    each_place(g, e.place, [&](int place, int) {
      const A here = widened(x[place * step]);
      if (kind == kMax)
        value = larger(value, here);
      else if (kind == kPower)
        value += power == 1 ? here : power == 2 ? here * here : here * here * here;
      else
        value += here;
    });
    if (kind == kAverage) value /= averaged(g, e.place, with_padding);
    if (kind == kPower) value = power == 1 ? value : power == 2 ? sqrt(value) : cbrt(value);
    out[i] = narrowed<T>(value);
  }
}

// The first place of each window's maximum, -1 if nothing exceeds `least`.
extern "C" __global__ void maxima(const T* data, int* places, Geometry g, I count, I channels,
                                  int last, A least) {
  for (I i = first_element(); i < count; i += all_threads()) {
    const Element e(i, channels, g.windows(), last);
    const T* x = data + e.plane(channels, g.area(), last);
    const I step = last ? channels : 1;
    A best = least;
    int found = -1;
    each_place(g, e.place, [&](int place, int) {
      const A here = widened(x[place * step]);
      if (best == best && !(here <= best)) {  // the first NaN stays
        best = here;
        found = place;
      }
    });
    places[i] = found;
  }
}

// Gradient by the data: of maxima where places is given, else of means or sums.
extern "C" __global__ void unpool(const T* head, const int* places, T* dx, Geometry g, I count,
                                  I channels, int last, int kind, int with_padding) {
  for (I i = first_element(); i < count; i += all_threads()) {
    const Element e(i, channels, g.area(), last);
    const I begin = e.plane(channels, g.windows(), last), step = last ? channels : 1;
    A grad = 0;
    each_window(g, e.place, [&](int window, int) {
      const I at = begin + window * step;
      if (places && places[at] != e.place) return;
      const A dy = widened(head[at]);
      grad += kind == kAverage ? dy / averaged(g, window, with_padding) : dy;
    });
    dx[i] = narrowed<T>(grad);
  }
}

// ---- columns -------------------------------------------------------------------------------------

// (images, channels, *size) to (images, channels * places of the kernel, windows).
extern "C" __global__ void to_columns(const T* data, T* columns, Geometry g, I count) {
  const int windows = g.windows(), places = g.places(), area = g.area();
  for (I i = first_element(); i < count; i += all_threads()) {
    const Place o(static_cast<int>(i % windows), g.out);
    const Place k(static_cast<int>(i / windows % places), g.kernel);
    const I plane = i / windows / places;
    bool inside = true;
    int at = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const int x = o.at[axis] * g.stride[axis] - g.pad[axis] + k.at[axis] * g.dilate[axis];
      inside &= x >= 0 && x < g.size[axis];
      at = at * g.size[axis] + x;
    }
    columns[i] = inside ? data[plane * area + at] : narrowed<T>(A(0));
  }
}

// Columns added up into images.
extern "C" __global__ void from_columns(const T* columns, T* data, Geometry g, I count) {
  const int windows = g.windows(), places = g.places(), area = g.area();
  for (I i = first_element(); i < count; i += all_threads()) {
    const T* x = columns + i / area * places * windows;
    A sum = 0;
    each_window(g, static_cast<int>(i % area), [&](int window, int place) {
      sum += widened(x[static_cast<I>(place) * windows + window]);
    });
    data[i] = narrowed<T>(sum);
  }
}
