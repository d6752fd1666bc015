// Running one eager call: allocate, compute, wrap, record.
#include "eager.h"

#include <new>
#include <stdexcept>

#include "bindings.h"

namespace py = pybind11;

namespace baryon {

thread_local ThreadState thread_state;
Classes classes;

namespace {

bool fast_calls = true;  // false while Python code changes the inputs of calls

constexpr int kMaxOutputs = 64;

bool allocate_here() {
  try {
    use_allocator();
    thread_state.allocating = true;
    return true;
  } catch (py::error_already_set& error) {
    error.restore();
    return false;
  }
}

// Owned references that go when the scope ends, unless taken.
template <int n>
struct Owned {
  PyObject* items[n];
  int count = 0;

  Owned() {}
  ~Owned() {
    for (int i = 0; i < count; ++i) Py_XDECREF(items[i]);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
};

// ---- computing --------------------------------------------------------------------------------

PyObject* empty_like(const Tensor& tensor, PyArray_Descr* descr) {
  static_assert(sizeof(npy_intp) == sizeof(std::int64_t));
  Py_INCREF(descr);
  auto* dims = reinterpret_cast<npy_intp*>(const_cast<std::int64_t*>(tensor.shape));
  return PyArray_NewFromDescr(&PyArray_Type, descr, tensor.ndim, dims, nullptr, nullptr, 0,
                              nullptr);
}

void set_data(Tensor* tensors, int n_in, PyObject* const* arrays, int n_out,
              PyObject* const* outs) {
  for (int i = 0; i < n_in; ++i)
    tensors[i].data = PyArray_DATA(reinterpret_cast<PyArrayObject*>(arrays[i]));
  for (int i = 0; i < n_out; ++i)
    tensors[n_in + i].data = PyArray_DATA(reinterpret_cast<PyArrayObject*>(outs[i]));
}

void run_kernel(const Plan& plan, const Tensor* tensors) {
  plan.kernel({tensors, plan.n_in, tensors + plan.n_in, plan.n_out, plan.params.data(),
               static_cast<int>(plan.params.size())});
}

// Small calls keep the GIL and use the plan's own tensors; large ones share neither.
bool compute(Plan& plan, PyObject* const* arrays, PyObject* const* outs) {
  try {
    if (!plan.release_gil) {
      set_data(plan.tensors.data(), plan.n_in, arrays, plan.n_out, outs);
      run_kernel(plan, plan.tensors.data());
    } else {
      std::vector<Tensor> tensors = plan.tensors;
      set_data(tensors.data(), plan.n_in, arrays, plan.n_out, outs);
      const py::gil_scoped_release unlocked;
      run_kernel(plan, tensors.data());
    }
    return true;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  } catch (const std::out_of_range& error) {  // an index read from an input
    PyObject* name = PyObject_GetAttrString(plan.facts->op, "name");
    if (name != nullptr) PyErr_Format(PyExc_IndexError, "operator %U: %s", name, error.what());
    Py_XDECREF(name);
    return false;
  }
}

// ---- wrapping and recording -------------------------------------------------------------------

// A new array; takes `data` over. A null `device` leaves the memory to tell where it is.
PyObject* wrap(PyTypeObject* type, PyObject* data, PyObject* node, int index, PyObject* device) {
  PyObject* made = type->tp_alloc(type, 0);
  if (made == nullptr) {
    Py_DECREF(data);
    return nullptr;
  }
  classes.data.of(made) = data;
  classes.node.of(made) = Py_NewRef(node);
  classes.index.of(made) = PyLong_FromLong(index);
  classes.device.of(made) = Py_XNewRef(device);
  return made;
}

PyObject* node_of(PyObject* array) {
  PyObject* node = classes.node.of(array);
  return node == nullptr ? Py_None : node;
}

bool on_tape(PyObject* const* inputs, int count) {
  for (int i = 0; i < count; ++i)
    if (node_of(inputs[i]) != Py_None) return true;
  return false;
}

PyObject* indices_of(const Plan& plan, PyObject* const* inputs) {
  bool zeros = true;
  for (int i = 0; i < plan.n_in; ++i)
    zeros = zeros && classes.index.of(inputs[i]) == PyTuple_GET_ITEM(plan.zeros, i);
  if (zeros) return Py_NewRef(plan.zeros);
  PyObject* indices = PyTuple_New(plan.n_in);
  for (int i = 0; indices != nullptr && i < plan.n_in; ++i) {
    PyObject* index = classes.index.of(inputs[i]);
    PyTuple_SET_ITEM(indices, i,
                     Py_NewRef(index != nullptr ? index : PyTuple_GET_ITEM(plan.zeros, i)));
  }
  return indices;
}

PyObject* make_node(const Plan& plan, PyObject* const* inputs, PyObject* const* arrays,
                    PyObject* const* outs) {
  PyObject* node = classes.tape_node->tp_alloc(classes.tape_node, 0);
  PyObject* parents = PyTuple_New(plan.n_in);
  PyObject* saved = PyTuple_New(plan.n_in + plan.n_out);
  PyObject* indices = indices_of(plan, inputs);
  if (node == nullptr || parents == nullptr || saved == nullptr || indices == nullptr) {
    Py_XDECREF(node);
    Py_XDECREF(parents);
    Py_XDECREF(saved);
    Py_XDECREF(indices);
    return nullptr;
  }
  for (int i = 0; i < plan.n_in; ++i) {
    PyTuple_SET_ITEM(parents, i, Py_NewRef(node_of(inputs[i])));
    PyTuple_SET_ITEM(saved, i, Py_NewRef(plan.saves[i] ? arrays[i] : Py_None));
  }
  for (int i = 0; i < plan.n_out; ++i) {
    const bool keep = plan.saves[plan.n_in + i];
    PyTuple_SET_ITEM(saved, plan.n_in + i, Py_NewRef(keep ? outs[i] : Py_None));
  }
  classes.plan.of(node) = Py_NewRef(plan.object);
  classes.parents.of(node) = parents;
  classes.indices.of(node) = indices;
  classes.saved.of(node) = saved;
  return node;
}

PyObject* wrap_all(const Plan& plan, PyTypeObject* type, PyObject** outs, PyObject* node,
                   PyObject* device) {
  if (plan.visible == 1) return wrap(type, std::exchange(outs[0], nullptr), node, 0, device);
  PyObject* list = PyList_New(plan.visible);
  for (int i = 0; list != nullptr && i < plan.visible; ++i) {
    PyObject* made = wrap(type, std::exchange(outs[i], nullptr), node, i, device);
    if (made == nullptr) {
      Py_DECREF(list);
      return nullptr;
    }
    PyList_SET_ITEM(list, i, made);
  }
  return list;
}

// The arrays under the inputs, borrowed; false if one is not for kernels.
bool read_data(PyObject* const* inputs, int count, PyObject** arrays) {
  constexpr int kReadable = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;
  for (int i = 0; i < count; ++i) {
    PyObject* data = classes.data.of(inputs[i]);
    if (data == nullptr || !PyArray_CheckExact(data)) return false;
    auto* array = reinterpret_cast<PyArrayObject*>(data);
    if ((PyArray_FLAGS(array) & kReadable) != kReadable || PyArray_NDIM(array) > kMaxDim) {
      return false;
    }
    arrays[i] = data;
  }
  return true;
}

}  // namespace

PyObject* run_fast(OpFacts& facts, PyObject* attrs, PyObject* const* inputs, int count) {
  if (!fast_calls) return nullptr;
  Owned<kMaxInputs> held;  // Python code that runs below might rebind an input's data
  PyObject** const arrays = held.items;
  if (!read_data(inputs, count, arrays)) return nullptr;
  for (; held.count < count; ++held.count) Py_INCREF(arrays[held.count]);
  if (!thread_state.allocating && !allocate_here()) return nullptr;
  Plan* const found = find_plan(facts, attrs, arrays, count);
  if (found == nullptr || found->kernel == nullptr || found->n_out > kMaxOutputs) return nullptr;
  const PlanUse plan(found);
  Owned<kMaxOutputs> outs;
  for (; outs.count < plan->n_out; ++outs.count) {
    PyObject* made = empty_like(plan->tensors[count + outs.count], plan->out_descrs[outs.count]);
    if (made == nullptr) return nullptr;
    outs.items[outs.count] = made;
  }
  if (!compute(*found, arrays, outs.items)) return nullptr;
  PyObject* node = nullptr;
  if (thread_state.recording && plan->differentiable && on_tape(inputs, count)) {
    node = make_node(*found, inputs, arrays, outs.items);
    if (node == nullptr) return nullptr;
  }
  PyObject* const device = classes.device.of(inputs[0]);
  PyObject* result =
      wrap_all(*found, Py_TYPE(inputs[0]), outs.items, node != nullptr ? node : Py_None, device);
  Py_XDECREF(node);
  return result;
}

// ---- the module's functions -------------------------------------------------------------------

namespace {

PyObject* flag(bool value) { return Py_NewRef(value ? Py_True : Py_False); }

PyObject* set_flag(bool& place, PyObject* value) {
  const int wanted = PyObject_IsTrue(value);
  if (wanted < 0) return nullptr;
  return flag(std::exchange(place, wanted != 0));
}

PyObject* is_recording(PyObject*, PyObject*) { return flag(thread_state.recording); }
PyObject* is_training(PyObject*, PyObject*) { return flag(thread_state.training); }
PyObject* set_recording(PyObject*, PyObject* value) {
  return set_flag(thread_state.recording, value);
}
PyObject* set_training(PyObject*, PyObject* value) {
  return set_flag(thread_state.training, value);
}

PyObject* set_fast_calls(PyObject*, PyObject* value) { return set_flag(fast_calls, value); }

// Keywords of a dict as names and values; both borrowed from the dict but for the tuple.
struct Keywords {
  PyObject* names = nullptr;
  PyObject* values[kMaxInputs];

  bool read(PyObject* dict) {
    if (dict == Py_None || PyDict_GET_SIZE(dict) == 0) return true;
    if (PyDict_GET_SIZE(dict) > kMaxInputs) return false;
    names = PyTuple_New(PyDict_GET_SIZE(dict));
    PyObject *name, *value;
    Py_ssize_t at = 0, i = 0;
    while (names != nullptr && PyDict_Next(dict, &at, &name, &value)) {
      PyTuple_SET_ITEM(names, i, Py_NewRef(name));
      values[i++] = value;
    }
    return names != nullptr;
  }
  ~Keywords() { Py_XDECREF(names); }
};

PyObject* invoke_fast(PyObject* op, PyObject* args, PyObject* kwargs) {
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  PyObject* const* inputs = &PyTuple_GET_ITEM(args, 0);
  if (!are_arrays(inputs, count)) return nullptr;
  OpFacts* facts = facts_of(op);
  Keywords keywords;
  if (facts == nullptr || !keywords.read(kwargs)) return nullptr;
  PyObject* attrs = find_attrs(*facts, keywords.names, keywords.values, count);
  return attrs == nullptr ? nullptr : run_fast(*facts, attrs, inputs, static_cast<int>(count));
}

PyObject* invoke(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count < 2 || count > 3 || !PyTuple_Check(args[1]) ||
      (count == 3 && args[2] != Py_None && !PyDict_Check(args[2]))) {
    PyErr_SetString(PyExc_TypeError, "invoke(op, args: tuple, kwargs: dict | None)");
    return nullptr;
  }
  PyObject* kwargs = count == 3 ? args[2] : Py_None;
  PyObject* result = invoke_fast(args[0], args[1], kwargs);
  if (result != nullptr || PyErr_Occurred()) return result;
  if (classes.slow == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "invoke before setup()");
    return nullptr;
  }
  return PyObject_CallFunctionObjArgs(classes.slow, args[0], args[1], kwargs, nullptr);
}

// Whether nobody but `references` owners reaches the memory of a numpy array.
bool is_sole(PyObject* object, Py_ssize_t references) {
  if (object == nullptr || !PyArray_CheckExact(object) || Py_REFCNT(object) != references) {
    return false;
  }
  auto* array = reinterpret_cast<PyArrayObject*>(object);
  return PyArray_BASE(array) == nullptr && PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA) &&
         *PyObject_GET_WEAKREFS_LISTPTR(object) == nullptr;
}

PyObject* seal(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 3 || !PyObject_TypeCheck(args[0], classes.array)) {
    PyErr_SetString(PyExc_TypeError, "seal(array: NDArray, stamp: int, references: int)");
    return nullptr;
  }
  const Py_ssize_t references = PyLong_AsSsize_t(args[2]);
  if (references == -1 && PyErr_Occurred()) return nullptr;
  PyObject*& memory = classes.data.of(args[0]);
  if (!is_sole(memory, references)) return flag(false);
  PyObject* sealed = PyTuple_Pack(2, memory, args[1]);
  if (sealed == nullptr) return nullptr;
  Py_SETREF(memory, sealed);
  return flag(true);
}

PyMethodDef functions[] = {
    {"invoke", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(invoke)), METH_FASTCALL,
     "invoke(op, args, kwargs=None)\n\nApply an operator to NDArrays: natively where that is "
     "possible, else through `slow`."},
    {"is_recording", is_recording, METH_NOARGS, "Whether this thread records calls."},
    {"is_training", is_training, METH_NOARGS, "Whether this thread is in training mode."},
    {"set_recording", set_recording, METH_O, "Set the flag; the value before."},
    {"set_training", set_training, METH_O, "Set the flag; the value before."},
    {"set_fast_calls", set_fast_calls, METH_O,
     "Whether calls run natively at all, in every thread; the value before."},
    {"seal", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(seal)), METH_FASTCALL,
     "seal(array, stamp, references)\n\nPut (memory, stamp) in the place of an NDArray's memory, "
     "if "
     "nobody but `references` owners, the NDArray among them, can reach that; whether it was "
     "done."},
    {nullptr, nullptr, 0, nullptr},
};

Slot slot_of(const py::handle& type, const char* name) {
  const py::object member = type.attr(name);
  if (Py_TYPE(member.ptr()) != &PyMemberDescr_Type) {
    throw py::type_error(std::string("setup: ") + name + " is not a slot of its class");
  }
  return {reinterpret_cast<PyMemberDescrObject*>(member.ptr())->d_member->offset};
}

void setup(const py::type& array, const py::type& np_array, const py::type& tape_node,
           py::object make_plan, py::object slow) {
  classes.data = slot_of(array, "_data");
  classes.node = slot_of(array, "_node");
  classes.index = slot_of(array, "_index");
  classes.device = slot_of(array, "_ctx");
  classes.plan = slot_of(tape_node, "plan");
  classes.parents = slot_of(tape_node, "parents");
  classes.indices = slot_of(tape_node, "indices");
  classes.saved = slot_of(tape_node, "saved");
  classes.make_plan = make_plan.release().ptr();
  classes.slow = slow.release().ptr();
  classes.tape_node = reinterpret_cast<PyTypeObject*>(Py_NewRef(tape_node.ptr()));
  classes.np_array = reinterpret_cast<PyTypeObject*>(Py_NewRef(np_array.ptr()));
  classes.array = reinterpret_cast<PyTypeObject*>(Py_NewRef(array.ptr()));
}

}  // namespace

void bind_eager(py::module_& m) {
  m.def("setup", &setup, py::arg("NDArray"), py::arg("np_ndarray"), py::arg("TapeNode"),
        py::arg("make_plan"), py::arg("slow"),
        "Introduce the Python classes and functions of the fast path, once.");
  if (PyModule_AddFunctions(m.ptr(), functions) < 0 || !add_call_types(m.ptr())) {
    throw py::error_already_set();
  }
}

}  // namespace baryon
