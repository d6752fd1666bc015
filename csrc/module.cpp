// The extension module's functions.
#include <pybind11/stl.h>

#include <algorithm>
#include <vector>

#include "allocator.h"
#include "array.h"
#include "bindings.h"
#include "error.h"
#include "gemm.h"
#include "parallel.h"
#include "registry.h"

namespace py = pybind11;

namespace baryon {
namespace {

// A kernel call without data, as `accepts` is asked.
struct Question {
  std::vector<Tensor> ins, outs;
  std::vector<double> params;

  Call call() const {
    return {ins.data(),    static_cast<int>(ins.size()),
            outs.data(),   static_cast<int>(outs.size()),
            params.data(), static_cast<int>(params.size())};
  }
};

std::vector<Tensor> spec_tensors(const py::sequence& specs) {
  std::vector<Tensor> tensors;
  for (const py::handle spec : specs) tensors.push_back(spec_tensor(spec));
  return tensors;
}

bool accepts(const std::string& name, const py::sequence& ins, const py::sequence& outs,
             const std::vector<double>& params) {
  const Kernel* kernel = find_kernel(name);
  if (kernel == nullptr) return false;
  return kernel->accepts(Question{spec_tensors(ins), spec_tensors(outs), params}.call());
}

std::vector<Tensor> array_tensors(const py::sequence& arrays, const std::string& what) {
  std::vector<Tensor> tensors;
  for (const py::handle array : arrays) {
    tensors.push_back(need_tensor(array.ptr(), what + " " + std::to_string(tensors.size())));
  }
  return tensors;
}

void run_kernel(const std::string& name, const py::sequence& inputs, const py::sequence& outputs,
                const std::vector<double>& params) {
  const Kernel* kernel = find_kernel(name);
  if (kernel == nullptr) throw Error("no kernel is named " + name);
  const Question asked{array_tensors(inputs, "kernel " + name + ": input"),
                       array_tensors(outputs, "kernel " + name + ": output"), params};
  std::int64_t bytes = 0;
  for (const Tensor& tensor : asked.ins) bytes += bytes_of(tensor);
  for (std::size_t i = 0; i < asked.outs.size(); ++i) {
    const py::object array = outputs[i];
    if (!PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(array.ptr()))) {
      throw Error("kernel " + name + ": output " + std::to_string(i) + " is read-only");
    }
    bytes += bytes_of(asked.outs[i]);
  }
  if (!kernel->accepts(asked.call())) {
    std::string text;
    for (const Tensor& tensor : asked.ins) text += " " + describe(tensor);
    text += " ->";
    for (const Tensor& tensor : asked.outs) text += " " + describe(tensor);
    throw Error("kernel " + name + " does not accept" + text);
  }
  if (bytes < kReleaseBytes) {
    kernel->run(asked.call());
  } else {
    const py::gil_scoped_release unlocked;
    kernel->run(asked.call());
  }
}

// MXNetError once baryon.base can be imported, RuntimeError before.
void set_error(const char* text) {
  PyObject* base = PyImport_ImportModule("baryon.base");
  PyObject* type = base == nullptr ? nullptr : PyObject_GetAttrString(base, "MXNetError");
  PyErr_Clear();
  PyErr_SetString(type == nullptr ? PyExc_RuntimeError : type, text);
  Py_XDECREF(type);
  Py_XDECREF(base);
}

void translate(std::exception_ptr thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const Error& error) {
    set_error(error.what());
  }
}

void bind_kernels(py::module_& m) {
  m.def(
      "has_kernel", [](const std::string& name) { return find_kernel(name) != nullptr; },
      py::arg("name"), "Whether a kernel of that name exists.");
  m.def(
      "kernels",
      [] {
        std::vector<std::string> names = kernel_names();
        std::sort(names.begin(), names.end());
        return names;
      },
      "Names of all kernels.");
  m.def("kernel_number", &kernel_number, py::arg("name"),
        "The number by which kernels such as _fused_chain name another kernel; -1: unknown.");
  m.def("isa", &isa, "The instruction set whose kernels run: baseline, v3 or v4.");
  m.def("accepts", &accepts, py::arg("name"), py::arg("ins"), py::arg("outs"),
        py::arg("params") = std::vector<double>(),
        "Whether a kernel serves inputs and outputs given as (shape, dtype).");
  m.def("run_kernel", &run_kernel, py::arg("name"), py::arg("inputs"), py::arg("outputs"),
        py::arg("params") = std::vector<double>(),
        "Run a kernel on C-contiguous numpy arrays, writing the outputs.");
}

void bind_machine(py::module_& m) {
  m.def("num_threads", &num_threads, "Threads that one operator may use.");
  m.def(
      "set_num_threads",
      [](int count) {
        if (count < 1) throw py::value_error("set_num_threads: expected at least 1 thread");
        set_num_threads(count);
      },
      py::arg("count"), "Set how many threads one operator may use.");
  m.def("use_allocator", &use_allocator,
        "Allocate NumPy arrays of the calling thread's context from the cache.");
  m.def("cached_bytes", &cached_bytes, "Bytes of released memory kept for reuse.");
  m.def("cache_limit", &cache_limit, "The most bytes that are kept for reuse.");
  m.def(
      "forget_zeros",
      [](py::handle array) {
        auto* data = reinterpret_cast<PyArrayObject*>(array.ptr());
        if (!PyArray_Check(array.ptr()) || !PyArray_CHKFLAGS(data, NPY_ARRAY_OWNDATA))
          throw Error("forget_zeros: expected an array with memory of its own");
        forget_zeros(PyArray_DATA(data), static_cast<std::size_t>(PyArray_NBYTES(data)));
      },
      py::arg("array"), "Let an array of zeros take no memory until somebody touches it.");
  m.def("release_cache", &release_cache, "Give the memory kept for reuse back to the system.");
  m.def(
      "set_blas_path", [](const std::string& path) { set_blas_path(path.c_str()); },
      py::arg("path"), "Name the BLAS library to open when it is first needed.");
  m.def(
      "load_blas",
      [](const std::string& path) {
        if (!path.empty()) set_blas_path(path.c_str());
        if (const char* error = load_blas()) throw Error(std::string("BLAS: ") + error);
      },
      py::arg("path") = "", "Open the BLAS library now (once a process).");
}

}  // namespace
}  // namespace baryon

PYBIND11_MODULE(_native, m) {
  m.doc() = "baryon's native engine: kernels, threads, memory, programs and the eager fast path.";
  py::register_exception_translator(&baryon::translate);
  baryon::import_numpy();
  baryon::use_allocator();
  baryon::bind_kernels(m);
  baryon::bind_machine(m);
  baryon::bind_program(m);
  baryon::bind_eager(m);
  baryon::bind_walk(m);
}
