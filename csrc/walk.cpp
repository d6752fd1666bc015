// The walks that every pass begins with: all nodes that some depend on, inputs before users.
#include <unordered_set>
#include <vector>

#include "bindings.h"
#include "eager.h"

namespace py = pybind11;

namespace baryon {
namespace {

// Finds nodes depth first. The nodes belong to the graph, which stays as it is meanwhile.
class Walk {
 public:
  // `inputs(node, push)` pushes what a node reads, and tells whether it shall be walked at all.
  template <class Inputs>
  void from(PyObject* head, const Inputs& inputs) {
    stack_.push_back(head);
    while (!stack_.empty()) {
      PyObject* node = stack_.back();
      stack_.pop_back();
      if (node == nullptr) {  // behind all that the last open node reads
        order_.append(py::handle(open_.back()));
        open_.pop_back();
      } else if (seen_.insert(node).second) {
        open_.push_back(node);
        stack_.push_back(nullptr);
        inputs(node, [this](PyObject* input) { stack_.push_back(input); });
      }
    }
  }

  py::list order() { return std::move(order_); }

 private:
  py::list order_;
  std::unordered_set<PyObject*> seen_;
  std::vector<PyObject*> stack_, open_;
};

PyObject* attribute(PyObject* object, PyObject* name) {
  PyObject* found = PyObject_GetAttr(object, name);
  if (found == nullptr) throw py::error_already_set();
  Py_DECREF(found);  // its owner keeps it
  return found;
}

PyObject* name_of(const char* text) {
  PyObject* name = PyUnicode_InternFromString(text);
  if (name == nullptr) throw py::error_already_set();
  return name;
}

struct Names {
  PyObject *inputs = name_of("inputs"), *node = name_of("node");
};

// Nodes with `inputs`, entries that name a `node` each.
py::list walk(const py::iterable& heads, const py::object& stop) {
  static const Names kept_names;
  const Names& names = kept_names;
  Walk found;
  const auto inputs = [&](PyObject* node, const auto& push) {
    PyObject* entries = attribute(node, names.inputs);
    const Py_ssize_t count = PyTuple_Check(entries) ? PyTuple_GET_SIZE(entries) : 0;
    if (count == 0 || (!stop.is_none() && stop(py::handle(node)).cast<bool>())) return;
    for (Py_ssize_t i = count - 1; i >= 0; --i)
      push(attribute(PyTuple_GET_ITEM(entries, i), names.node));
  };
  const py::list kept(heads);
  for (const py::handle head : kept) found.from(attribute(head.ptr(), names.node), inputs);
  return found.order();
}

// Nodes of a tape; what is none, or None, has no parents.
py::list tape_walk(const py::iterable& heads) {
  Walk found;
  const auto inputs = [](PyObject* node, const auto& push) {
    if (Py_TYPE(node) != classes.tape_node) return;
    PyObject* parents = classes.parents.of(node);
    for (Py_ssize_t i = PyTuple_GET_SIZE(parents) - 1; i >= 0; --i)
      if (PyObject* parent = PyTuple_GET_ITEM(parents, i); parent != Py_None) push(parent);
  };
  const py::list kept(heads);
  for (const py::handle head : kept) found.from(head.ptr(), inputs);
  return found.order();
}

}  // namespace

void bind_walk(py::module_& m) {
  m.def("walk", &walk, py::arg("heads"), py::arg("stop") = py::none(),
        "All nodes that entries depend on, inputs before users; those that a `stop` node reads "
        "are left out.");
  m.def("tape_walk", &tape_walk, py::arg("heads"),
        "All nodes and leaves that nodes of a tape depend on, parents before children.");
}

}  // namespace baryon
