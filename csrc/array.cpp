#define BARYON_IMPORTS_NUMPY
#include "array.h"

#include <algorithm>
#include <iterator>

#include "allocator.h"
#include "error.h"
#include "parallel.h"

namespace py = pybind11;

namespace baryon {
namespace {

// NumPy's type number and descriptor of every entry of kTypes.
int numbers[] = {NPY_FLOAT, NPY_DOUBLE, NPY_HALF, NPY_UBYTE, NPY_INT32,
                 NPY_BYTE,  NPY_INT64,  NPY_BOOL, -1 /* bfloat16: known at import */};
PyArray_Descr* descrs[std::size(kTypes)];
static_assert(std::size(numbers) == std::size(kTypes));

void* handler_malloc(void*, std::size_t bytes) { return try_allocate(bytes); }
void* handler_calloc(void*, std::size_t count, std::size_t bytes) {
  std::size_t total = 0;
  return __builtin_mul_overflow(count, bytes, &total) ? nullptr : try_allocate_zeroed(total);
}
void* handler_realloc(void*, void* pointer, std::size_t bytes) {
  return try_reallocate(pointer, bytes);
}
void handler_free(void*, void* pointer, std::size_t) { release(pointer); }

PyDataMem_Handler handler = {
    "baryon_allocator",
    1,
    {nullptr, handler_malloc, handler_calloc, handler_realloc, handler_free},
};

PyObject* load_numpy() {
  import_array1(nullptr);
  return Py_None;
}

}  // namespace

void import_numpy() {
  if (load_numpy() == nullptr) throw py::error_already_set();
  const py::object bfloat16 = py::module_::import("ml_dtypes").attr("bfloat16");
  for (std::size_t i = 0; i < std::size(kTypes); ++i) {
    if (numbers[i] >= 0) {
      descrs[i] = PyArray_DescrFromType(numbers[i]);
    } else if (PyArray_DescrConverter(bfloat16.ptr(), &descrs[i]) != 0) {
      numbers[i] = descrs[i]->type_num;
    } else {
      throw py::error_already_set();
    }
  }
}

void use_allocator() {
  const auto capsule =
      py::reinterpret_steal<py::object>(PyCapsule_New(&handler, "mem_handler", nullptr));
  const auto before = py::reinterpret_steal<py::object>(PyDataMem_SetHandler(capsule.ptr()));
  if (!before) throw py::error_already_set();
}

std::optional<DType> code_of(const PyArray_Descr* descr) {
  if (!PyDataType_ISNOTSWAPPED(descr)) return std::nullopt;
  for (std::size_t i = 0; i < std::size(kTypes); ++i)
    if (numbers[i] == descr->type_num) return kTypes[i].code;
  // A second C type of the same width, such as long long beside long.
  if (PyTypeNum_ISSIGNED(descr->type_num)) {
    if (PyDataType_ELSIZE(descr) == 8) return DType::i64;
    if (PyDataType_ELSIZE(descr) == 4) return DType::i32;
  }
  return std::nullopt;
}

PyArray_Descr* descr_of(DType dtype) { return descrs[&type_of(dtype) - kTypes]; }

std::optional<Tensor> tensor_of(PyObject* object) {
  if (!PyArray_Check(object)) return std::nullopt;
  auto* array = reinterpret_cast<PyArrayObject*>(object);
  const std::optional<DType> code = code_of(PyArray_DESCR(array));
  const int ndim = PyArray_NDIM(array);
  if (!code || ndim > kMaxDim || !PyArray_IS_C_CONTIGUOUS(array) || !PyArray_ISALIGNED(array)) {
    return std::nullopt;
  }
  Tensor tensor;
  tensor.data = PyArray_DATA(array);
  tensor.dtype = *code;
  tensor.ndim = ndim;
  std::copy_n(PyArray_DIMS(array), ndim, tensor.shape);
  return tensor;
}

Tensor need_tensor(PyObject* object, const std::string& what) {
  if (const auto tensor = tensor_of(object)) return *tensor;
  const std::string got =
      PyArray_Check(object)
          ? "one of dtype " + py::str(py::handle(object).attr("dtype")).cast<std::string>()
          : std::string("a ") + Py_TYPE(object)->tp_name;
  throw Error(what + ": expected a C-contiguous numpy array of a known dtype and at most " +
              std::to_string(kMaxDim) + " dimensions, got " + got);
}

Tensor spec_tensor(const py::handle& shape, int code) {
  Tensor tensor;
  tensor.dtype = dtype_from_code(code);
  const auto dims = py::reinterpret_borrow<py::sequence>(shape);
  if (dims.size() > static_cast<std::size_t>(kMaxDim)) {
    throw Error("a tensor has at most " + std::to_string(kMaxDim) + " dimensions, got " +
                std::to_string(dims.size()));
  }
  std::int64_t bytes = item_bytes(tensor.dtype);
  for (const py::handle dim : dims) {
    const auto size = dim.cast<std::int64_t>();
    if (size < 0 || __builtin_mul_overflow(bytes, std::max<std::int64_t>(size, 1), &bytes)) {
      throw Error("impossible shape " + py::str(shape).cast<std::string>());
    }
    tensor.shape[tensor.ndim++] = size;
  }
  return tensor;
}

Tensor spec_tensor(const py::handle& spec) {
  if (!PyTuple_Check(spec.ptr()) || PyTuple_GET_SIZE(spec.ptr()) != 2) {
    throw py::type_error("expected (shape, dtype) of a tensor");
  }
  const py::handle shape = PyTuple_GET_ITEM(spec.ptr(), 0), dtype = PyTuple_GET_ITEM(spec.ptr(), 1);
  if (!PyArray_DescrCheck(dtype.ptr())) return spec_tensor(shape, dtype.cast<int>());
  const auto code = code_of(reinterpret_cast<PyArray_Descr*>(dtype.ptr()));
  if (!code) throw Error("no kernel knows dtype " + py::str(dtype).cast<std::string>());
  return spec_tensor(shape, static_cast<int>(*code));
}

bool matches(PyObject* object, const Tensor& tensor) {
  if (!PyArray_Check(object)) return false;
  auto* array = reinterpret_cast<PyArrayObject*>(object);
  const int ndim = PyArray_NDIM(array);
  if (ndim != tensor.ndim || !PyArray_IS_C_CONTIGUOUS(array) || !PyArray_ISALIGNED(array)) {
    return false;
  }
  if (!std::equal(tensor.shape, tensor.shape + ndim, PyArray_DIMS(array))) return false;
  const PyArray_Descr* descr = PyArray_DESCR(array);
  return descr == descr_of(tensor.dtype) || code_of(descr) == tensor.dtype;
}

py::object view_of(const Tensor& tensor, PyObject* owner) {
  PyArray_Descr* descr = descr_of(tensor.dtype);
  Py_INCREF(descr);
  npy_intp dims[kMaxDim];
  std::copy_n(tensor.shape, tensor.ndim, dims);
  auto array = py::reinterpret_steal<py::object>(PyArray_NewFromDescr(
      &PyArray_Type, descr, tensor.ndim, dims, nullptr, tensor.data, NPY_ARRAY_CARRAY, nullptr));
  if (!array) throw py::error_already_set();
  Py_INCREF(owner);
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array.ptr()), owner) < 0) {
    throw py::error_already_set();
  }
  return array;
}

}  // namespace baryon
