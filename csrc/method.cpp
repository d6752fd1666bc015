// Call objects: what an operator's function or Python operator becomes when calls must be quick.
//
// Both kinds try the fast path on their arguments and otherwise call the Python function that they
// were made with, whose result and errors are the specification. They bind like Python functions.

#include <cmath>
#include <cstring>

#include "eager.h"

namespace baryon {
namespace {

struct KnownAttrs {
  PyObject* value = nullptr;  // of the keyword, or the number
  PyObject* attrs = nullptr;
};
constexpr int kKnown = 8;

struct CallObject {
  PyObject ob_base;
  vectorcallfunc call;
  OpFacts* tensors;  // the operator for NDArrays
  OpFacts* scalar;   // a method's operator for an array and a number, or null
  bool np_only;      // a function that takes np.ndarrays and no NDArrays
  PyObject* fallback;
  PyObject* dict;
  KnownAttrs known[kKnown];  // attributes of numbers seen, by their bits
  std::uint64_t bits[kKnown];
};

CallObject* as_call(PyObject* self) { return reinterpret_cast<CallObject*>(self); }

PyObject* fall_back(CallObject* self, PyObject* const* args, std::size_t nargsf,
                    PyObject* kwnames) {
  return PyObject_Vectorcall(self->fallback, args, nargsf, kwnames);
}

// ---- function(a, b, ..., keyword=value) -------------------------------------------------------

PyObject* call_function(PyObject* callable, PyObject* const* args, std::size_t nargsf,
                        PyObject* kwnames) {
  CallObject* self = as_call(callable);
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  if (are_arrays(args, count) && (!self->np_only || Py_TYPE(args[0]) == classes.np_array)) {
    PyObject* attrs = find_attrs(*self->tensors, kwnames, args + count, count);
    if (attrs != nullptr) {
      PyObject* result = run_fast(*self->tensors, attrs, args, static_cast<int>(count));
      if (result != nullptr) return result;
    }
    if (PyErr_Occurred()) return nullptr;
  }
  return fall_back(self, args, nargsf, kwnames);
}

// ---- array <op> other -------------------------------------------------------------------------

// The exact double of a plain Python number.
bool number_of(PyObject* object, double* value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (PyFloat_CheckExact(object)) {
    *value = PyFloat_AS_DOUBLE(object);
    return true;
  }
  if (!PyLong_CheckExact(object)) return false;
  *value = PyLong_AsDouble(object);
  if (*value == -1.0 && PyErr_Occurred()) {
    PyErr_Clear();
    return false;
  }
  return std::fabs(*value) < kExact;
}

PyObject* scalar_attrs(CallObject* self, PyObject* number, double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const int place = static_cast<int>((bits * 0x9E3779B97F4A7C15u) >> 61);
  KnownAttrs& known = self->known[place];
  if (known.attrs != nullptr && self->bits[place] == bits &&
      Py_TYPE(known.value) == Py_TYPE(number)) {
    return known.attrs;
  }
  PyObject* raw = Py_BuildValue("{sO}", "scalar", number);
  if (raw == nullptr) return nullptr;
  PyObject* attrs = PyObject_CallMethod(self->scalar->op, "attributes", "O", raw);
  Py_DECREF(raw);
  if (attrs == nullptr) return nullptr;
  const KnownAttrs before = known;
  known = {Py_NewRef(number), attrs};
  self->bits[place] = bits;
  Py_XDECREF(before.value);
  Py_XDECREF(before.attrs);
  return known.attrs;
}

PyObject* call_method(PyObject* callable, PyObject* const* args, std::size_t nargsf,
                      PyObject* kwnames) {
  CallObject* self = as_call(callable);
  PyObject* result = nullptr;
  if (PyVectorcall_NARGS(nargsf) == 2 && kwnames == nullptr && classes.array != nullptr &&
      is_array(args[0])) {
    double value;
    if (Py_TYPE(args[1]) == Py_TYPE(args[0])) {
      PyObject* attrs =
          self->tensors == nullptr ? nullptr : find_attrs(*self->tensors, nullptr, nullptr, 2);
      if (attrs != nullptr) result = run_fast(*self->tensors, attrs, args, 2);
    } else if (self->scalar != nullptr && number_of(args[1], &value)) {
      PyObject* attrs = scalar_attrs(self, args[1], value);
      if (attrs != nullptr) result = run_fast(*self->scalar, attrs, args, 1);
    }
    if (result != nullptr) return result;
    if (PyErr_Occurred()) return nullptr;
  }
  return fall_back(self, args, nargsf, kwnames);
}

// ---- the types --------------------------------------------------------------------------------

PyObject* bind(PyObject* self, PyObject* object, PyObject*) {
  return object == nullptr || object == Py_None ? Py_NewRef(self) : PyMethod_New(self, object);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_call(self)->fallback);
  Py_VISIT(as_call(self)->dict);
  Py_VISIT(Py_TYPE(self));
  return 0;
}

int clear(PyObject* self) {
  Py_CLEAR(as_call(self)->dict);
  return 0;
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  CallObject* call = as_call(self);
  Py_XDECREF(call->fallback);
  for (KnownAttrs& known : call->known) {
    Py_XDECREF(known.value);
    Py_XDECREF(known.attrs);
  }
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* make(PyTypeObject* type, vectorcallfunc call, OpFacts* tensors, OpFacts* scalar,
               PyObject* fallback) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  CallObject* made = as_call(self);
  made->call = call;
  made->tensors = tensors;
  made->scalar = scalar;
  made->fallback = Py_NewRef(fallback);
  return self;
}

// Facts of an operator, or null for None; false with an error set if it is no operator.
bool read_op(PyObject* op, OpFacts** facts) {
  *facts = op == Py_None ? nullptr : facts_of(op);
  return op == Py_None || *facts != nullptr;
}

PyObject* new_method(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"op", "scalar_op", "fallback", nullptr};
  PyObject *op, *scalar_op, *fallback;
  OpFacts *tensors, *scalar;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO", const_cast<char**>(names), &op, &scalar_op,
                                   &fallback) ||
      !read_op(op, &tensors) || !read_op(scalar_op, &scalar)) {
    return nullptr;
  }
  return make(type, call_method, tensors, scalar, fallback);
}

PyObject* new_function(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"op", "fallback", "np_only", nullptr};
  PyObject *op, *fallback;
  int np_only = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|p", const_cast<char**>(names), &op, &fallback,
                                   &np_only)) {
    return nullptr;
  }
  OpFacts* facts = facts_of(op);
  if (facts == nullptr) return nullptr;
  PyObject* made = make(type, call_function, facts, nullptr, fallback);
  if (made != nullptr) as_call(made)->np_only = np_only != 0;
  return made;
}

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(CallObject, call), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(CallObject, dict), READONLY, nullptr},
    {"__wrapped__", T_OBJECT, offsetof(CallObject, fallback), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyObject* get_doc(PyObject* self, void*) {
  return PyObject_GetAttrString(as_call(self)->fallback, "__doc__");
}
PyObject* get_name(PyObject* self, void*) {
  return PyObject_GetAttrString(as_call(self)->fallback, "__name__");
}
PyObject* get_qualname(PyObject* self, void*) {
  return PyObject_GetAttrString(as_call(self)->fallback, "__qualname__");
}

PyGetSetDef getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"__doc__", get_doc, nullptr, nullptr, nullptr},
    {"__name__", get_name, nullptr, nullptr, nullptr},
    {"__qualname__", get_qualname, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

bool add_type(PyObject* module, const char* name, newfunc construct) {
  PyType_Slot slots[] = {
      {Py_tp_new, reinterpret_cast<void*>(construct)},
      {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(clear)},
      {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
      {Py_tp_descr_get, reinterpret_cast<void*>(bind)},
      {Py_tp_members, members},
      {Py_tp_getset, getset},
      {0, nullptr},
  };
  PyType_Spec spec = {name, sizeof(CallObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                          Py_TPFLAGS_METHOD_DESCRIPTOR,
                      slots};
  PyObject* type = PyType_FromSpec(&spec);
  return type != nullptr && PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type)) == 0;
}

}  // namespace

bool add_call_types(PyObject* module) {
  return add_type(module, "baryon._native.method", new_method) &&
         add_type(module, "baryon._native.function", new_function);
}

}  // namespace baryon
