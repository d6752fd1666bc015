#define BARYON_IMPORTS_NUMPY
#include "array.h"

#include <cstring>

#include "allocator.h"
#include "error.h"
#include "parallel.h"

namespace py = pybind11;

namespace baryon {
namespace {

struct Type {
  DType code;
  int number;  // NumPy's
  int bytes;
  const char* name;
};

Type types[] = {
    {DType::f32, NPY_FLOAT, 4, "float32"}, {DType::f64, NPY_DOUBLE, 8, "float64"},
    {DType::f16, NPY_HALF, 2, "float16"},  {DType::u8, NPY_UBYTE, 1, "uint8"},
    {DType::i32, NPY_INT32, 4, "int32"},   {DType::i8, NPY_BYTE, 1, "int8"},
    {DType::i64, NPY_INT64, 8, "int64"},   {DType::b8, NPY_BOOL, 1, "bool"},
    {DType::bf16, -1, 2, "bfloat16"},
};
PyArray_Descr* descrs[std::size(types)];

const Type& type_of(DType dtype) {
  for (const Type& type : types)
    if (type.code == dtype) return type;
  throw Error("unknown dtype code " + std::to_string(static_cast<int>(dtype)));
}

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
  for (std::size_t i = 0; i < std::size(types); ++i) {
    PyArray_Descr* descr = nullptr;
    if (types[i].code == DType::bf16) {
      if (PyArray_DescrConverter(bfloat16.ptr(), &descr) == 0) throw py::error_already_set();
      types[i].number = descr->type_num;
    } else {
      descr = PyArray_DescrFromType(types[i].number);
    }
    descrs[i] = descr;
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
  for (const Type& type : types)
    if (type.number == descr->type_num) return type.code;
  // A second C type of the same width, such as long long beside long.
  if (PyTypeNum_ISSIGNED(descr->type_num)) {
    if (PyDataType_ELSIZE(descr) == 8) return DType::i64;
    if (PyDataType_ELSIZE(descr) == 4) return DType::i32;
  }
  return std::nullopt;
}

PyArray_Descr* descr_of(DType dtype) { return descrs[&type_of(dtype) - types]; }

DType dtype_from_code(int code) { return type_of(static_cast<DType>(code)).code; }

std::int64_t item_bytes(DType dtype) { return type_of(dtype).bytes; }

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

std::string describe(const Tensor& tensor) {
  std::string text = std::string(type_of(tensor.dtype).name) + " (";
  for (int i = 0; i < tensor.ndim; ++i) {
    text += (i > 0 ? "," : "") + std::to_string(tensor.shape[i]);
  }
  return text + ")";
}

std::int64_t bytes_of(const Tensor& tensor) { return tensor.size() * item_bytes(tensor.dtype); }

}  // namespace baryon
