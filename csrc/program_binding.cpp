// Programs for Python.
#include <pybind11/stl.h>

#include "array.h"
#include "bindings.h"
#include "eager.h"
#include "error.h"
#include "program.h"

namespace py = pybind11;

namespace baryon {
namespace {

// From (space, offset, spec).
Ref parse_ref(const py::handle& given) {
  if (!PyTuple_Check(given.ptr()) || PyTuple_GET_SIZE(given.ptr()) != 3) {
    throw py::type_error("program: a place is (space, offset, spec)");
  }
  const auto item = [&](int i) { return py::handle(PyTuple_GET_ITEM(given.ptr(), i)); };
  const int space = item(0).cast<int>();
  if (space < 0 || space > 2) throw Error("program: there is no space " + std::to_string(space));
  return {static_cast<Space>(space), item(1).cast<std::int64_t>(), spec_tensor(item(2))};
}

std::vector<Ref> parse_refs(const py::handle& given) {
  std::vector<Ref> refs;
  for (const py::handle ref : given) refs.push_back(parse_ref(ref));
  return refs;
}

// Python's side of a program: what it calls and what it must keep alive.
class PythonProgram {
 public:
  PythonProgram(const py::sequence& instructions, const py::sequence& externals,
                std::int64_t arena_bytes, const py::sequence& constants)
      : constants_(constants),
        program_(parse(instructions), parse_externals(externals), parse_constants(constants),
                 arena_bytes) {}

  void run(std::size_t begin, std::size_t end, const py::object& arena, const py::sequence& arrays,
           std::uint64_t seed, std::uint64_t stream, const py::object& clock,
           const std::vector<std::uint64_t>& stamps, const std::vector<double>& numbers) const {
    if (begin > end || end > program_.size()) {
      throw Error("program: no instructions " + std::to_string(begin) + " to " +
                  std::to_string(end) + " among " + std::to_string(program_.size()));
    }
    if (!stamps.empty() && stamps.size() != program_.kept().size()) {
      throw Error("program: expected " + std::to_string(program_.kept().size()) + " stamps, got " +
                  std::to_string(stamps.size()));
    }
    char* memory = arena_memory(arena.ptr());
    const py::tuple externals(arrays);  // keeps them alive, whatever happens to the sequence
    const std::vector<External> given = check_externals(externals);
    PythonHost host(*this, arena, externals);
    std::int64_t* times = clock.is_none() ? nullptr : clock_memory(clock.ptr(), end - begin + 1);
    if (program_.kernel_bytes(begin, end) < kReleaseBytes) {
      program_.run(begin, end, memory, given, stamps, numbers, {seed, stream}, host, times);
    } else {
      const py::gil_scoped_release unlocked;
      program_.run(begin, end, memory, given, stamps, numbers, {seed, stream}, host, times);
    }
  }

  // The memory of NDArrays, in a list, if they are the first externals as the program takes them,
  // and, if it `keeps`, the stamps of those kept, which have to be sealed; else None. Other sealed
  // arrays, sparse and other unusual ones are not for here.
  py::object take(const py::list& inputs, bool keeps) const {
    const std::vector<Tensor>& wanted = program_.externals();
    const auto count = static_cast<Py_ssize_t>(inputs.size());
    if (classes.array == nullptr || inputs.size() > wanted.size()) return py::none();
    py::list found(inputs.size()), stamps(keeps ? kept().size() : 0);
    for (std::size_t k = 0; k < stamps.size(); ++k) {
      PyObject* input = kept()[k] < count ? PyList_GET_ITEM(inputs.ptr(), kept()[k]) : nullptr;
      PyObject* held = input == nullptr ? nullptr : sealed(input);
      if (held == nullptr) return py::none();
      PyList_SET_ITEM(found.ptr(), kept()[k], Py_NewRef(PyTuple_GET_ITEM(held, 0)));
      PyList_SET_ITEM(stamps.ptr(), static_cast<Py_ssize_t>(k),
                      Py_NewRef(PyTuple_GET_ITEM(held, 1)));
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* data = PyList_GET_ITEM(found.ptr(), i);
      if (data == nullptr) {
        PyObject* input = PyList_GET_ITEM(inputs.ptr(), i);
        data = is_array(input) ? classes.data.of(input) : nullptr;
        if (data == nullptr) return py::none();
        PyList_SET_ITEM(found.ptr(), i, Py_NewRef(data));
      }
      if (!matches(data, wanted[i])) return py::none();
    }
    return py::make_tuple(found, stamps);
  }

  std::size_t size() const { return program_.size(); }
  const std::vector<std::int64_t>& kept() const { return program_.kept(); }
  std::int64_t kept_bytes() const { return program_.kept_bytes(); }
  std::int64_t arena_bytes() const { return program_.arena_bytes(); }

 private:
  // What a sealed NDArray holds, (memory, stamp), or null.
  static PyObject* sealed(PyObject* input) {
    if (!PyObject_TypeCheck(input, classes.array)) return nullptr;
    PyObject* held = classes.data.of(input);
    const bool is_pair = held != nullptr && PyTuple_CheckExact(held) && PyTuple_GET_SIZE(held) == 2;
    return is_pair ? held : nullptr;
  }

  // Runs callbacks on views of a run's memory.
  class PythonHost : public Host {
   public:
    PythonHost(const PythonProgram& program, const py::object& arena, const py::tuple& externals)
        : program_(program), arena_(arena), externals_(externals) {}

    void call(const Instruction& instruction, const Call& call, Streams streams) override {
      const py::gil_scoped_acquire locked;
      const py::list ins = views(instruction.ins, call.in),
                     outs = views(instruction.outs, call.out);
      program_.callbacks_[instruction.callback](ins, outs, streams.seed, streams.stream);
    }

   private:
    py::list views(const std::vector<Ref>& refs, const Tensor* tensors) const {
      py::list list(refs.size());
      for (std::size_t i = 0; i < refs.size(); ++i) {
        list[i] = view_of(tensors[i], owner(refs[i]).ptr());
      }
      return list;
    }
    py::object owner(const Ref& ref) const {
      if (ref.space == Space::arena) return arena_;
      return ref.space == Space::external ? py::object(externals_[ref.offset])
                                          : py::object(program_.constants_[ref.offset]);
    }

    const PythonProgram& program_;
    const py::object& arena_;
    const py::tuple& externals_;
  };

  std::vector<Instruction> parse(const py::sequence& given) {
    std::vector<Instruction> instructions;
    for (const py::handle item : given) {
      auto [work, ins, outs, params, random] =
          item.cast<std::tuple<py::object, py::object, py::object, std::vector<double>, bool>>();
      Instruction instruction{"", -1, parse_refs(ins), parse_refs(outs), std::move(params), random};
      if (py::isinstance<py::str>(work)) {
        instruction.name = work.cast<std::string>();
      } else {
        instruction.name = py::str(py::getattr(work, "__name__", py::str("callback")));
        instruction.callback = static_cast<int>(callbacks_.size());
        callbacks_.push_back(std::move(work));
      }
      instructions.push_back(std::move(instruction));
    }
    return instructions;
  }

  static std::vector<Tensor> parse_externals(const py::sequence& given) {
    std::vector<Tensor> externals;
    for (const py::handle spec : given) externals.push_back(spec_tensor(spec));
    return externals;
  }

  static std::vector<Tensor> parse_constants(const py::tuple& given) {
    std::vector<Tensor> constants;
    for (const py::handle array : given) {
      const std::string what = "program: constant " + std::to_string(constants.size());
      constants.push_back(need_tensor(array.ptr(), what));
    }
    return constants;
  }

  char* arena_memory(PyObject* arena) const {
    const std::optional<Tensor> tensor = tensor_of(arena);
    const std::int64_t need = program_.arena_bytes();
    if (!tensor || tensor->dtype != DType::u8 || tensor->size() < need ||
        !PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(arena)) ||
        reinterpret_cast<std::uintptr_t>(tensor->data) % 16 != 0) {
      throw Error("program: the arena must be a contiguous, writeable, aligned uint8 array of " +
                  std::to_string(need) + " bytes");
    }
    return tensor->as<char>();
  }

  static std::int64_t* clock_memory(PyObject* clock, std::size_t count) {
    const std::optional<Tensor> tensor = tensor_of(clock);
    if (!tensor || tensor->dtype != DType::i64 ||
        tensor->size() != static_cast<std::int64_t>(count) ||
        !PyArray_ISWRITEABLE(reinterpret_cast<PyArrayObject*>(clock))) {
      throw Error("program: the clock must be a contiguous, writeable int64 array of " +
                  std::to_string(count) + " entries");
    }
    return tensor->as<std::int64_t>();
  }

  std::vector<External> check_externals(const py::tuple& given) const {
    const std::vector<Tensor>& wanted = program_.externals();
    if (given.size() != wanted.size()) {
      throw Error("program: expected " + std::to_string(wanted.size()) + " externals, got " +
                  std::to_string(given.size()));
    }
    std::vector<External> externals(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      PyObject* object = PyTuple_GET_ITEM(given.ptr(), static_cast<Py_ssize_t>(i));
      if (object == Py_None) continue;
      if (!matches(object, wanted[i])) {
        const std::string what = "program: external " + std::to_string(i);
        throw Error(what + " is " + describe(need_tensor(object, what)) + ", expected " +
                    describe(wanted[i]));
      }
      auto* array = reinterpret_cast<PyArrayObject*>(object);
      externals[i] = {PyArray_DATA(array), true, PyArray_ISWRITEABLE(array) != 0};
    }
    return externals;
  }

  py::tuple constants_;
  std::vector<py::object> callbacks_;
  Program program_;  // after what it refers to
};

}  // namespace

void bind_program(py::module_& m) {
  py::class_<PythonProgram>(m, "Program",
                            "A flat list of instructions over an arena, externals and constants.")
      .def(py::init<const py::sequence&, const py::sequence&, std::int64_t, const py::sequence&>(),
           py::arg("instructions"), py::arg("externals"), py::arg("arena_bytes"),
           py::arg("constants") = py::tuple())
      .def("run", &PythonProgram::run, py::arg("begin"), py::arg("end"), py::arg("arena"),
           py::arg("externals"), py::arg("seed") = 0, py::arg("stream") = 0,
           py::arg("clock") = py::none(), py::arg("stamps") = py::tuple(),
           py::arg("numbers") = py::tuple(),
           "Run instructions [begin, end) on an arena and external arrays; an int64 array as clock "
           "is given the time before them and after each. Stamps, one for each external of `kept`, "
           "stay the same while nobody writes to it; zero: that is not known. Numbers take the "
           "place of the parameters of the last instructions.")
      .def("take", &PythonProgram::take, py::arg("inputs"), py::arg("keeps"),
           "The memory of a list of NDArrays, if they are as the first externals, and, if it "
           "`keeps`, "
           "the stamps of those of `kept`, if they are sealed; else None.")
      .def_property_readonly("kept", &PythonProgram::kept,
                             "Externals of which something may be kept between runs.")
      .def_property_readonly("kept_bytes", &PythonProgram::kept_bytes,
                             "Bytes of all that may be kept between runs.")
      .def("__len__", &PythonProgram::size)
      .def_property_readonly("arena_bytes", &PythonProgram::arena_bytes);
}

}  // namespace baryon
