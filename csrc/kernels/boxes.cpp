// Overlaps of boxes, suppression, and the detections and proposals of networks.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../kernel.h"
#include "../parallel.h"
#include "suppress.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Int kAll = Int(1) << 62;

Int whole(const Call& call, int i) { return static_cast<Int>(call.params[i]); }

// params: whether boxes are given by centre and size.
template <class T>
void overlaps(const Call& call) {
  const bool center = call.params[0] != 0;
  const Int rows = call.in[0].size() / 4, columns = call.in[1].size() / 4;
  const T *lhs = call.in[0].as<T>(), *rhs = call.in[1].as<T>();
  T* out = call.out[0].as<T>();
  const auto area = [](const Box<T>& b) {
    return std::max<T>(b.x2 - b.x1, 0) * std::max<T>(b.y2 - b.y1, 0);
  };
  parallel_for(rows, 1 + 16384 / (columns + 1), [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Box<T> a = read_box(lhs + 4 * i, center);
      for (Int j = 0; j < columns; ++j) {
        const Box<T> b = read_box(rhs + 4 * j, center);
        const T width = std::max<T>(std::min(a.x2, b.x2) - std::max(a.x1, b.x1), 0);
        const T height = std::max<T>(std::min(a.y2, b.y2) - std::max(a.y1, b.y1), 0);
        const T common = width * height, all = area(a) + area(b) - common;
        out[i * columns + j] = all > 0 ? common / all : 0;
      }
    }
  });
}

// ---- box_nms ------------------------------------------------------------------------------------

struct Suppression {
  double overlap, valid;
  Int most, coordinates, score, id;
  double background;
  bool force, in_center, out_center;
  Int rows, columns;
};

// params: the fields of Suppression.
Suppression suppression_of(const Call& call) {
  const double* p = call.params;
  return {p[0], p[1],      whole(call, 2), whole(call, 3), whole(call, 4),  whole(call, 5),
          p[6], p[7] != 0, p[8] != 0,      p[9] != 0,      whole(call, 10), whole(call, 11)};
}

template <class T>
void suppress_one(const Suppression& s, const T* data, T* out, T* origin) {
  std::vector<Int> order;
  for (Int i = 0; i < s.rows; ++i) {
    const T* row = data + i * s.columns;
    const bool background = s.id >= 0 && row[s.id] == static_cast<T>(s.background);
    if (row[s.score] > static_cast<T>(s.valid) && !background) order.push_back(i);
  }
  sort_by_score(order, [&](Int i) { return data[i * s.columns + s.score]; });
  if (s.most > 0 && static_cast<Int>(order.size()) > s.most) order.resize(s.most);
  Boxes<T> boxes(order.size());
  for (Int i = 0; i < boxes.count(); ++i) {
    const T* row = data + order[i] * s.columns;
    boxes.set(i, read_box(row + s.coordinates, s.in_center), s.id >= 0 ? row[s.id] : 0);
  }
  std::fill_n(out, s.rows * s.columns, T(-1));
  std::fill_n(origin, s.rows, T(-1));
  const bool by_id = s.id >= 0 && !s.force;
  for (const Int i : boxes.survivors(static_cast<T>(s.overlap), by_id, false, kAll)) {
    const T* row = data + order[i] * s.columns;
    std::copy_n(row, s.columns, out);
    *origin++ = static_cast<T>(order[i]);
    T* at = out + s.coordinates;
    if (s.in_center && !s.out_center) {
      const Box<T> box = corners_of(row + s.coordinates);
      at[0] = box.x1, at[1] = box.y1, at[2] = box.x2, at[3] = box.y2;
    } else if (!s.in_center && s.out_center) {
      const T* c = row + s.coordinates;
      at[0] = (c[0] + c[2]) / 2, at[1] = (c[1] + c[3]) / 2;
      at[2] = c[2] - c[0], at[3] = c[3] - c[1];
    }
    out += s.columns;
  }
}

template <class T>
void suppress(const Call& call) {
  const Suppression s = suppression_of(call);
  const Int size = s.rows * s.columns, batch = size > 0 ? call.in[0].size() / size : 0;
  parallel_for(batch, 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i)
      suppress_one(s, call.in[0].as<T>() + i * size, call.out[0].as<T>() + i * size,
                   call.out[1].as<T>() + i * s.rows);
  });
}

// ---- MultiBoxDetection --------------------------------------------------------------------------

struct Detection {
  float kind, score;
  Box<float> box;
};

// params: clip, threshold, nms threshold, force, topk, and the four variances.
void detect_one(const Call& call, Int classes, Int count, const float* probs, const float* moves,
                float* out) {
  const double* p = call.params;
  const float* anchors = call.in[2].as<float>();
  std::vector<float> best(probs + count, probs + 2 * count), kind(count, 0);
  for (Int c = 2; c < classes; ++c)
    for (Int i = 0; i < count; ++i)
      if (probs[c * count + i] > best[i]) best[i] = probs[c * count + i], kind[i] = c - 1;
  const auto clip = [&](float v) { return p[0] != 0 ? std::clamp(v, 0.0f, 1.0f) : v; };
  std::vector<Detection> found;
  for (Int i = 0; i < count; ++i) {
    if (!(best[i] >= static_cast<float>(p[1]))) continue;
    const float *a = anchors + 4 * i, *m = moves + 4 * i;
    float move[4];
    for (int k = 0; k < 4; ++k) move[k] = m[k] * static_cast<float>(p[5 + k]);
    const float width = a[2] - a[0], height = a[3] - a[1];
    const float at[] = {move[0] * width + (a[0] + a[2]) / 2, move[1] * height + (a[1] + a[3]) / 2,
                        std::exp(move[2]) * width, std::exp(move[3]) * height};
    const Box<float> b = corners_of(at);
    found.push_back({kind[i], best[i], {clip(b.x1), clip(b.y1), clip(b.x2), clip(b.y2)}});
  }
  if (p[2] > 0 && p[2] <= 1) {
    std::vector<Detection> sorted = found;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return comes_first(a.score, b.score); });
    const Int topk = whole(call, 4);
    if (topk > 0 && static_cast<Int>(sorted.size()) > topk) sorted.resize(topk);
    Boxes<float> boxes(sorted.size());
    for (Int i = 0; i < boxes.count(); ++i) boxes.set(i, sorted[i].box, sorted[i].kind);
    std::copy(sorted.begin(), sorted.end(), found.begin());
    for (Detection& d : found) d.kind = -1;
    for (const Int i : boxes.survivors(static_cast<float>(p[2]), p[3] == 0, true, kAll))
      found[i].kind = sorted[i].kind;
  }
  std::fill_n(out, 6 * count, -1.0f);
  for (const Detection& d : found) {
    const float row[] = {d.kind, d.score, d.box.x1, d.box.y1, d.box.x2, d.box.y2};
    out = std::copy_n(row, 6, out);
  }
}

void detect(const Call& call) {
  const Tensor& probs = call.in[0];
  const Int classes = probs.shape[1], count = probs.shape[2];
  parallel_for(probs.shape[0], 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i)
      detect_one(call, classes, count, probs.as<float>() + i * classes * count,
                 call.in[1].as<float>() + i * 4 * count, call.out[0].as<float>() + i * 6 * count);
  });
}

// ---- Proposal -----------------------------------------------------------------------------------

// params: boxes before and after suppression, threshold, least size, stride, whether predictions
// move corners, and the corners of the anchors at the origin.
class Proposer {
 public:
  explicit Proposer(const Call& call)
      : call_(call),
        anchors_((call.n_params - 6) / 4),
        rows_(call.in[0].shape[2]),
        columns_(call.in[0].shape[3]) {}

  void run(Int image) const {
    const Int plane = rows_ * columns_, count = anchors_ * plane;
    const float* scores = call_.in[0].as<float>() + (2 * image + 1) * count;
    const float* moves = call_.in[1].as<float>() + image * 4 * count;
    const float* info = call_.in[2].as<float>() + 3 * image;
    std::vector<Box<float>> boxes(count);
    std::vector<float> score(count);
    for (Int place = 0; place < plane; ++place)
      for (Int a = 0; a < anchors_; ++a) {
        const Int i = place * anchors_ + a;
        score[i] = scores[a * plane + place];
        boxes[i] = moved(a, place, moves + 4 * a * plane + place, plane);
        judge(info, place, boxes[i], score[i]);
      }
    write(image, boxes, score);
  }

 private:
  Box<float> moved(Int a, Int place, const float* move, Int plane) const {
    const double* base = call_.params + 6 + 4 * a;
    const float x = static_cast<float>(place % columns_ * call_.params[4]);
    const float y = static_cast<float>(place / columns_ * call_.params[4]);
    const float x1 = static_cast<float>(base[0]) + x, y1 = static_cast<float>(base[1]) + y;
    const float x2 = static_cast<float>(base[2]) + x, y2 = static_cast<float>(base[3]) + y;
    const float dx = move[0], dy = move[plane], dw = move[2 * plane], dh = move[3 * plane];
    if (call_.params[5] != 0) return {x1 + dx, y1 + dy, x2 + dw, y2 + dh};
    const float width = x2 - x1 + 1, height = y2 - y1 + 1;
    const float cx = x1 + (width - 1) / 2 + dx * width, cy = y1 + (height - 1) / 2 + dy * height;
    const float half_w = (std::exp(dw) * width - 1) / 2, half_h = (std::exp(dh) * height - 1) / 2;
    return {cx - half_w, cy - half_h, cx + half_w, cy + half_h};
  }

  // Cuts a box to the image; what lies outside it or is too small scores -1.
  void judge(const float* info, Int place, Box<float>& box, float& score) const {
    const float stride = static_cast<float>(call_.params[4]);
    const bool outside = place / columns_ >= std::floor(info[0] / stride) ||
                         place % columns_ >= std::floor(info[1] / stride);
    const auto cut = [](float v, float high) { return std::max(std::min(v, high), 0.0f); };
    box = {cut(box.x1, info[1] - 1), cut(box.y1, info[0] - 1), cut(box.x2, info[1] - 1),
           cut(box.y2, info[0] - 1)};
    const float least = info[2] * static_cast<float>(call_.params[3]);
    const bool small = box.x2 - box.x1 + 1 < least || box.y2 - box.y1 + 1 < least;
    if (small) {
      const float half = least / 2;
      box = {box.x1 - half, box.y1 - half, box.x2 + half, box.y2 + half};
    }
    if (outside || small) score = -1;
  }

  void write(Int image, const std::vector<Box<float>>& boxes,
             const std::vector<float>& score) const {
    std::vector<Int> order(boxes.size());
    for (Int i = 0; i < static_cast<Int>(order.size()); ++i) order[i] = i;
    sort_by_score(order, [&](Int i) { return score[i]; });
    const Int before = whole(call_, 0), after = whole(call_, 1);
    if (before > 0 && static_cast<Int>(order.size()) > before) order.resize(before);
    Boxes<float> best(order.size(), 1);
    for (Int i = 0; i < best.count(); ++i) best.set(i, boxes[order[i]], 0);
    const auto kept = best.survivors(static_cast<float>(call_.params[2]), false, false, after);
    float* out = call_.out[0].as<float>() + image * after * 5;
    float* scores = call_.out[1].as<float>() + image * after;
    for (Int i = 0; i < after; ++i) {  // too few are repeated in turn
      const Int from = order[kept[i % static_cast<Int>(kept.size())]];
      const Box<float>& b = boxes[from];
      const float row[] = {static_cast<float>(image), b.x1, b.y1, b.x2, b.y2};
      std::copy_n(row, 5, out + 5 * i);
      scores[i] = score[from];
    }
  }

  const Call& call_;
  Int anchors_, rows_, columns_;
};

void propose(const Call& call) {
  const Proposer proposer(call);
  parallel_for(call.in[0].shape[0], 1, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) proposer.run(i);
  });
}

template <KernelFn of_float, KernelFn of_double>
void by_dtype(const Call& call) {
  call.in[0].dtype == DType::f32 ? of_float(call) : of_double(call);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(boxes) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  constexpr auto floats = same_dtype<DType::f32, DType::f64>;
  constexpr auto single = same_dtype<DType::f32>;
  add("_contrib_box_iou", by_dtype<overlaps<float>, overlaps<double>>, floats);
  add("_contrib_box_nms", by_dtype<suppress<float>, suppress<double>>, floats);
  add("_contrib_MultiBoxDetection", detect, single);
  add("_contrib_MultiProposal", propose, single);
}
