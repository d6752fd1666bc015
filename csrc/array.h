// NumPy arrays as the engine's tensors. For the files that see Python only.
#pragma once

#include <pybind11/pybind11.h>

#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL baryon_numpy
#ifndef BARYON_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
#include <structmember.h>

#include <optional>
#include <string>

#include "types.h"

namespace baryon {

// Loads NumPy's C API and bfloat16's type number.
void import_numpy();
// Makes NumPy allocate through the caching allocator, in the calling context.
void use_allocator();

// The engine's code of an array type in native byte order.
std::optional<DType> code_of(const PyArray_Descr* descr);
// A borrowed descriptor.
PyArray_Descr* descr_of(DType dtype);

// The tensor of a C-contiguous, aligned array of a known type and rank, or nothing.
std::optional<Tensor> tensor_of(PyObject* object);
// The same, or an Error that says what is wrong with `what`.
Tensor need_tensor(PyObject* object, const std::string& what);
// A tensor without data from a shape and a dtype's code, or from a tuple of a shape and a dtype (a
// numpy one, or its code).
Tensor spec_tensor(const pybind11::handle& shape, int code);
Tensor spec_tensor(const pybind11::handle& spec);
// Whether `object` is an array of exactly this shape and dtype that kernels can read.
bool matches(PyObject* object, const Tensor& tensor);
// An array over a tensor's memory, which `owner` keeps alive.
pybind11::object view_of(const Tensor& tensor, PyObject* owner);

// Calls that touch fewer bytes keep the GIL.
constexpr std::int64_t kReleaseBytes = 64 << 10;

}  // namespace baryon
