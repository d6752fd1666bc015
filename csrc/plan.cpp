// Operators and plans as the fast path keeps them.
#include <pybind11/stl.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "eager.h"
#include "registry.h"

namespace py = pybind11;

namespace baryon {
namespace {

// ---- plans from Python ------------------------------------------------------------------------

py::object specs_of(PyObject* const* arrays, int count) {
  py::tuple specs(count);
  for (int i = 0; i < count; ++i) {
    const py::handle array(arrays[i]);
    specs[i] = py::make_tuple(array.attr("shape"), array.attr("dtype"));
  }
  return specs;
}

void add_tensor(Plan& plan, std::vector<PyArray_Descr*>& descrs, const py::handle& spec) {
  const py::object shape = spec.attr("shape"), dtype = spec.attr("dtype");
  if (!PyArray_DescrCheck(dtype.ptr())) throw py::type_error("a plan's dtypes are numpy dtypes");
  auto* descr = reinterpret_cast<PyArray_Descr*>(dtype.ptr());
  const std::optional<DType> code = code_of(descr);
  if (!code || py::len(shape) > kMaxDim) {
    plan.kernel = nullptr;  // no kernel knows this type
    plan.tensors.emplace_back();
  } else {
    plan.tensors.push_back(spec_tensor(shape, static_cast<int>(*code)));
  }
  descrs.push_back(reinterpret_cast<PyArray_Descr*>(Py_NewRef(dtype.ptr())));
}

KernelFn kernel_of(const py::object& object) {
  if (!object.attr("native").cast<bool>()) return nullptr;
  const Kernel* kernel = find_kernel(object.attr("kernel").cast<std::string>());
  return kernel == nullptr ? nullptr : kernel->run;
}

std::unique_ptr<Plan> make_plan(OpFacts& facts, PyObject* attrs, PyObject* const* arrays,
                                int count) {
  auto plan = std::make_unique<Plan>();
  plan->attrs = Py_NewRef(attrs);
  const py::object specs = specs_of(arrays, count);
  py::object object = py::handle(classes.make_plan)(py::handle(facts.op), py::handle(attrs), specs);
  plan->facts = &facts;
  plan->kernel = kernel_of(object);
  plan->n_in = count;
  py::object outs = object.attr("outs");
  if (outs.is_none()) outs = py::tuple();  // known once the operator has run: Python's affair
  plan->n_out = static_cast<int>(py::len(outs));
  plan->visible = object.attr("visible").cast<int>();
  plan->differentiable = object.attr("differentiable").cast<bool>();
  // The key is what the arrays have; the plan's own input specs may differ in spelling only.
  for (int i = 0; i < count; ++i) {
    const py::handle array(arrays[i]);
    auto* data = reinterpret_cast<PyArrayObject*>(arrays[i]);
    Tensor tensor;
    tensor.dtype = code_of(PyArray_DESCR(data)).value_or(DType::u8);
    tensor.ndim = PyArray_NDIM(data);
    std::copy_n(PyArray_DIMS(data), tensor.ndim, tensor.shape);
    plan->tensors.push_back(tensor);
    plan->in_descrs.push_back(PyArray_DESCR(data));
    Py_INCREF(PyArray_DESCR(data));
    if (!code_of(PyArray_DESCR(data))) plan->kernel = nullptr;
  }
  for (const py::handle spec : outs) add_tensor(*plan, plan->out_descrs, spec);
  const py::object params = object.attr("params"), saves = object.attr("saves");
  if (plan->kernel != nullptr) plan->params = params.cast<std::vector<double>>();
  plan->saves = saves.cast<std::vector<bool>>();
  plan->saves.resize(plan->n_in + plan->n_out);
  std::int64_t bytes = 0;
  for (const Tensor& tensor : plan->tensors) bytes += bytes_of(tensor);
  plan->release_gil = bytes >= kReleaseBytes;
  py::tuple zeros(count);
  for (int i = 0; i < count; ++i) zeros[i] = py::int_(0);
  plan->zeros = zeros.release().ptr();
  plan->object = object.release().ptr();
  return plan;
}

// ---- the table --------------------------------------------------------------------------------

bool fits(const Plan& plan, const OpFacts& facts, PyObject* attrs, PyObject* const* arrays,
          int count) {
  if (plan.facts != &facts || plan.attrs != attrs || plan.n_in != count) return false;
  for (int i = 0; i < count; ++i) {
    auto* array = reinterpret_cast<PyArrayObject*>(arrays[i]);
    const Tensor& tensor = plan.tensors[i];
    if (plan.in_descrs[i] != PyArray_DESCR(array) || tensor.ndim != PyArray_NDIM(array)) {
      return false;
    }
    const npy_intp* dims = PyArray_DIMS(array);
    for (int d = 0; d < tensor.ndim; ++d)
      if (tensor.shape[d] != dims[d]) return false;
  }
  return true;
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

std::uint64_t hash_of(const OpFacts& facts, PyObject* attrs, PyObject* const* arrays, int count) {
  std::uint64_t hash =
      mix(reinterpret_cast<std::uintptr_t>(&facts), reinterpret_cast<std::uintptr_t>(attrs));
  for (int i = 0; i < count; ++i) {
    auto* array = reinterpret_cast<PyArrayObject*>(arrays[i]);
    const int ndim = PyArray_NDIM(array);
    hash = mix(hash, reinterpret_cast<std::uintptr_t>(PyArray_DESCR(array)) + ndim);
    for (int d = 0; d < ndim; ++d) hash = mix(hash, PyArray_DIM(array, d));
  }
  return hash;
}

// Open addressing with linear probing; emptied when half full, so that it stays bounded.
class Table {
 public:
  template <class Fits>
  Plan* find(std::uint64_t hash, const Fits& fits) const {
    for (std::uint64_t i = hash & kMask; places_[i] != nullptr; i = (i + 1) & kMask)
      if (fits(*places_[i])) return places_[i];
    return nullptr;
  }

  void add(std::uint64_t hash, Plan* plan) {
    if (count_ > kMask / 2) clear();
    std::uint64_t i = hash & kMask;
    while (places_[i] != nullptr) i = (i + 1) & kMask;
    places_[i] = plan;
    ++count_;
  }

 private:
  // Dropping a plan may run Python code, so the table is empty before the first one goes.
  void clear() {
    const std::vector<Plan*> old(places_, places_ + kMask + 1);
    std::memset(places_, 0, sizeof places_);
    count_ = 0;
    for (Plan* plan : old) PlanUse::drop(plan);
  }

  static constexpr std::uint64_t kMask = (1 << 15) - 1;
  Plan* places_[kMask + 1] = {};
  std::uint64_t count_ = 0;
};

Table table;

}  // namespace

Plan::~Plan() {
  for (PyArray_Descr* descr : in_descrs) Py_DECREF(descr);
  for (PyArray_Descr* descr : out_descrs) Py_DECREF(descr);
  Py_XDECREF(attrs);
  Py_XDECREF(object);
  Py_XDECREF(zeros);
}

Plan* find_plan(OpFacts& facts, PyObject* attrs, PyObject* const* arrays, int count) {
  const std::uint64_t hash = hash_of(facts, attrs, arrays, count);
  const auto matches = [&](const Plan& p) { return fits(p, facts, attrs, arrays, count); };
  if (Plan* plan = table.find(hash, matches)) return plan;
  try {
    std::unique_ptr<Plan> made = make_plan(facts, attrs, arrays, count);
    table.add(hash, made.get());
    return made.release();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

// ---- operators --------------------------------------------------------------------------------

OpFacts* facts_of(PyObject* op) {
  static auto* known = new std::unordered_map<PyObject*, OpFacts*>;
  const auto found = known->find(op);
  if (found != known->end()) return found->second;
  try {
    const py::handle given(op);
    auto facts = std::make_unique<OpFacts>();
    facts->memo = given.attr("_memo").cast<py::dict>().release().ptr();
    facts->needs_mode = given.attr("needs_mode").cast<bool>();
    facts->variadic = given.attr("variadic").cast<py::object>().release().ptr();
    facts->op = Py_NewRef(op);
    known->emplace(op, facts.get());
    return facts.release();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_TypeError, error.what());
  }
  return nullptr;
}

namespace {

PyObject* plain_attrs(OpFacts& facts, bool train) {
  PyObject*& kept = facts.plain[train];
  if (kept == nullptr) {
    PyObject* raw = PyDict_New();
    kept = PyObject_CallMethod(facts.op, "attributes", "OO", raw, train ? Py_True : Py_False);
    Py_XDECREF(raw);
  }
  return kept;
}

// Arrays have no names: the keyword "name" is accepted for the sake of symbols, and passed over.
bool is_name(PyObject* keyword) { return PyUnicode_CompareWithASCIIString(keyword, "name") == 0; }

// Python holds -0.0 equal to 0.0, so a key with it would find the attributes of the other.
bool is_negative_zero(PyObject* value) {
  return PyFloat_CheckExact(value) && PyFloat_AS_DOUBLE(value) == 0.0 &&
         std::signbit(PyFloat_AS_DOUBLE(value));
}

// The key of Op.attributes: (train, (name, value), ...); null where only Python can tell.
PyObject* make_key(const OpFacts& facts, bool train, PyObject* kwnames, PyObject* const* values,
                   Py_ssize_t n_in) {
  const Py_ssize_t count = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
  bool counted = facts.variadic == Py_None;
  Py_ssize_t names = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* keyword = PyTuple_GET_ITEM(kwnames, i);
    counted = counted || PyUnicode_Compare(keyword, facts.variadic) == 0;
    names += is_name(keyword) ? 1 : 0;
    if (is_negative_zero(values[i])) return nullptr;
  }
  PyObject* key = PyTuple_New(1 + count - names + (counted ? 0 : 1));
  if (key == nullptr) return nullptr;
  PyTuple_SET_ITEM(key, 0, Py_NewRef(train ? Py_True : Py_False));
  Py_ssize_t end = 1;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* keyword = PyTuple_GET_ITEM(kwnames, i);
    if (!is_name(keyword)) PyTuple_SET_ITEM(key, end++, PyTuple_Pack(2, keyword, values[i]));
  }
  if (!counted) PyTuple_SET_ITEM(key, end, Py_BuildValue("(On)", facts.variadic, n_in));
  if (PyErr_Occurred()) Py_CLEAR(key);
  return key;
}

}  // namespace

PyObject* find_attrs(OpFacts& facts, PyObject* kwnames, PyObject* const* values, Py_ssize_t n_in) {
  const bool train = facts.needs_mode && thread_state.training;
  const bool bare = kwnames == nullptr || PyTuple_GET_SIZE(kwnames) == 0;
  if (bare && facts.variadic == Py_None) return plain_attrs(facts, train);
  PyObject* key = make_key(facts, train, kwnames, values, n_in);
  if (key == nullptr) return nullptr;
  PyObject* found = PyDict_GetItemWithError(facts.memo, key);
  Py_DECREF(key);
  if (found == nullptr && PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_Clear();  // not hashable
  return found;
}

}  // namespace baryon
