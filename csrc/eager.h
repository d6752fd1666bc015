// The eager fast path: what the call objects and the plans share. Everything here needs the GIL.
#pragma once

#include <vector>

#include "array.h"
#include "kernel.h"

namespace baryon {

// ---- the calling thread -----------------------------------------------------------------------

struct ThreadState {
  bool recording = false;
  bool training = false;
  bool allocating = false;  // NumPy allocates from the cache in this thread
};
extern thread_local ThreadState thread_state;

// ---- Python's classes -------------------------------------------------------------------------

// Where a slotted class keeps one attribute.
struct Slot {
  Py_ssize_t offset = 0;

  PyObject*& of(PyObject* object) const {
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
  }
};

struct Classes {
  PyTypeObject* array = nullptr;     // NDArray
  PyTypeObject* np_array = nullptr;  // np.ndarray, its subclass with the same slots
  Slot data, node, index, device;
  PyTypeObject* tape_node = nullptr;  // TapeNode
  Slot plan, parents, indices, saved;
  PyObject* make_plan = nullptr;
  PyObject* slow = nullptr;
};
extern Classes classes;

// ---- operators and plans ----------------------------------------------------------------------

// What the fast path keeps of an operator; lives as long as the process.
struct OpFacts {
  PyObject* op;
  PyObject* memo;  // its dict of parsed attributes
  bool needs_mode;
  PyObject* variadic;       // name of the attribute that counts the inputs, or None
  PyObject* plain[2] = {};  // attributes of a call without keywords, by mode
};

// Null with a Python error set if `op` is no operator.
OpFacts* facts_of(PyObject* op);
// The interned attributes of a call, borrowed; null: not known yet (or a Python error is set).
PyObject* find_attrs(OpFacts& facts, PyObject* kwnames, PyObject* const* values, Py_ssize_t n_in);

struct Plan {
  int uses = 1;  // the table's and those of running calls
  OpFacts* facts;
  PyObject* attrs = nullptr;
  PyObject* object = nullptr;  // Python's Plan
  std::vector<PyArray_Descr*> in_descrs, out_descrs;
  std::vector<Tensor> tensors;  // inputs, then outputs
  std::vector<double> params;
  std::vector<bool> saves;
  PyObject* zeros = nullptr;  // indices of inputs that are all first outputs
  KernelFn kernel;            // null: only Python can run this call
  int n_in, n_out, visible;
  bool differentiable;
  bool release_gil;

  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan();
};

// A plan in use.
class PlanUse {
 public:
  explicit PlanUse(Plan* plan) : plan_(plan) {
    if (plan_ != nullptr) ++plan_->uses;
  }
  ~PlanUse() { drop(plan_); }
  PlanUse(const PlanUse&) = delete;
  PlanUse& operator=(const PlanUse&) = delete;
  Plan* operator->() const { return plan_; }
  explicit operator bool() const { return plan_ != nullptr; }

  static void drop(Plan* plan) {
    if (plan != nullptr && --plan->uses == 0) delete plan;
  }

 private:
  Plan* plan_;
};

// The plan for these arrays, borrowed from the table; null with a Python error set.
Plan* find_plan(OpFacts& facts, PyObject* attrs, PyObject* const* arrays, int count);

// ---- calls ------------------------------------------------------------------------------------

constexpr int kMaxInputs = 64;

inline bool is_array(PyObject* object) {
  return Py_TYPE(object) == classes.array || Py_TYPE(object) == classes.np_array;
}

// Whether there are inputs and all are exactly NDArrays, or all exactly np.ndarrays.
inline bool are_arrays(PyObject* const* inputs, Py_ssize_t count) {
  if (classes.array == nullptr || count == 0 || count > kMaxInputs || !is_array(inputs[0])) {
    return false;
  }
  for (Py_ssize_t i = 1; i < count; ++i)
    if (Py_TYPE(inputs[i]) != Py_TYPE(inputs[0])) return false;
  return true;
}

// Runs a call whose inputs are arrays of one class, which is also that of the results. Null without
// a Python error: the call is one for Python.
PyObject* run_fast(OpFacts& facts, PyObject* attrs, PyObject* const* inputs, int count);

// Adds the types of call objects: `method` and `function`.
bool add_call_types(PyObject* module);

}  // namespace baryon
