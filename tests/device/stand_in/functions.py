"""The functions of CuPy: NumPy's under the names and with the parameters that CuPy has."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .array import add_methods, adopt, check_dtype, ndarray
from .calls import call, counts, is_host_array, synchronizes, uploads
from .cublas import refuses_capture

FACTS = json.loads((Path(__file__).parent.parent / "cupy_facts.json").read_text())
WAITS = {"unique", "nonzero", "flatnonzero", "argwhere", "bincount", "histogram", "array_repr",
         "digitize", "extract", "compress", "union1d", "setdiff1d", "intersect1d",
         "unique_values", "unique_counts", "unique_inverse", "unique_all"}  # fmt: skip
WRITES = {"copyto", "fill_diagonal", "put", "putmask", "place", "put_along_axis"}
HOST = {"can_cast", "promote_types", "finfo", "iinfo", "isscalar", "broadcast_shapes",
        "format_float_positional", "get_printoptions", "set_printoptions", "printoptions",
        "issubdtype", "isfortran", "iscomplexobj", "isrealobj", "shape", "ndim", "size",
        "result_type", "min_scalar_type", "may_share_memory", "shares_memory"}  # fmt: skip
FREE = {"zeros", "ones", "empty", "full", "eye", "identity", "tri", "arange", "linspace",
        "logspace", "indices", "meshgrid", "atleast_1d", "atleast_2d", "atleast_3d",
        "broadcast_arrays", "unravel_index", "einsum", "tril_indices", "triu_indices",
        "diag_indices", "mask_indices", "bartlett", "blackman", "hamming", "hanning",
        "kaiser", "ix_", "fromfunction"}  # fmt: skip
MOVES = HOST | {"reshape", "transpose", "swapaxes", "moveaxis", "broadcast_to", "expand_dims",
                "squeeze", "ravel", "flatten", "zeros_like", "ones_like", "empty_like", "full_like",
                "copyto", "array_equal", "concatenate", "stack", "take", "where"}  # fmt: skip
PRODUCTS = {"matmul", "dot", "tensordot", "inner", "vdot", "einsum", "kron", "outer"}
JOINS = {"concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "concat"}
# Element types of atomic updates: not the narrow integers, nor int64.
_ADDABLE = {np.dtype(t) for t in ("i4", "u4", "u8", "f2", "f4", "f8", "c8", "c16")}
_ORDERED = {np.dtype(t) for t in ("i4", "u4", "u8", "f4", "f8")}


class Ufunc:
    """A function element by element, for the element types that CuPy compiles it for."""

    def __init__(self, name: str, types: list[str], function: Callable[..., Any]) -> None:
        self.__name__ = self.name = name
        self.types, self.function = types, function
        self.nin = len(types[0].split("->")[0])
        self.nout = len(types[0].split("->")[1])

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: Any = "same_kind",
                 **others: Any) -> Any:  # fmt: skip
        if others:  # `where` and `order`, too: see ufunc_keywords in the facts
            raise TypeError(f"Wrong arguments {others}")
        if len(args) > self.nin:
            args, out = args[: self.nin], args[self.nin]
        for x in args:
            if isinstance(x, (list, tuple)):
                raise TypeError(f"Unsupported type {type(x)}")
        types = self._loop(args) if dtype is None else None
        kwargs = {} if dtype is None else {"dtype": dtype}
        if out is not None:
            kwargs.update(out=out, casting=casting)
        found = call(self.function, args, kwargs)
        if types is None or out is not None or isinstance(found, tuple):
            return found
        return found if found.dtype == types else found.astype(types)

    def _loop(self, args: tuple) -> np.dtype:
        """The element type of the result by the first loop that takes the arguments."""
        kinds = [x.dtype for x in args if isinstance(x, (ndarray, np.generic))]
        weak = [x for x in args if not isinstance(x, (ndarray, np.generic))]
        if not kinds:
            raise TypeError(f"{self.name}: none of its arguments is an array")
        common = np.result_type(*kinds, *weak) if weak else None
        for types in self.types:
            ins, outs = types.split("->")
            given = [x.dtype if isinstance(x, (ndarray, np.generic)) else common for x in args]
            if all(np.can_cast(g, _dtype(t)) for g, t in zip(given, ins, strict=True)):
                return _dtype(outs[0])
        raise TypeError(f"Wrong type ({kinds}) of arguments for cupy_{self.name}")

    def outer(self, a: Any, b: Any, **kwargs: Any) -> Any:
        """All pairs."""
        return self(a.reshape(*a.shape, *(1,) * b.ndim), b, **kwargs)

    def at(self, a: Any, slices: Any, value: Any = None) -> None:
        """In place, equal indices one after another."""
        name = {"add": "add", "maximum": "max", "minimum": "min"}.get(self.name)
        if name is None:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        scatter(name, a, slices, value)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
               keepdims: bool = False) -> Any:  # fmt: skip
        """Along axes; for sums and products."""
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        name = "sum" if self.name == "add" else "prod"
        return FUNCTIONS[name](array, axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Along an axis; for sums and products."""
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        name = "cumsum" if self.name == "add" else "cumprod"
        return FUNCTIONS[name](array, axis=axis, dtype=dtype, out=out)

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
        """Over ranges; for sums."""
        if self.name != "add":
            raise NotImplementedError(f"`{self.name}.reduceat` is not supported yet")
        return call(np.add.reduceat, (array, indices, axis, dtype))


def _dtype(char: str) -> np.dtype:
    return np.dtype("bfloat16") if char == "E" else np.dtype(char)


def scatter(op: str, a: Any, slices: Any, value: Any) -> None:
    """Atomic updates, for the element types that have them."""
    allowed = _ADDABLE if op == "add" else _ORDERED
    if a.dtype not in allowed:
        raise TypeError(f"scatter_{op} does not support {a.dtype}")
    from .array import in_range

    function = {"add": np.add, "max": np.maximum, "min": np.minimum}[op]
    keys = a._keys(slices, False)

    def put(a: np.ndarray, value: Any, *keys: Any) -> None:
        function.at(a, in_range(a, keys), value)

    call(put, (a, value, *keys), inplace=True)


def bound(name: str, names: list[str] | None, args: tuple, kwargs: dict) -> dict:
    """Arguments by parameter; TypeError for one that CuPy's function does not have."""
    if names is None:
        raise TypeError(f"cupy.{name}: its parameters are not known")
    named = [n for n in names if not n.startswith("*") and not n.endswith("=")]
    many = any(n.startswith("*") and not n.startswith("**") for n in names)
    if not many and len(args) > len(named):
        raise TypeError(f"cupy.{name}() takes {len(named)} arguments but {len(args)} were given")
    unknown = set(kwargs) - {n.removesuffix("=") for n in names}
    if unknown and not any(n.startswith("**") for n in names):
        raise TypeError(f"cupy.{name}() got an unexpected keyword argument {min(unknown)!r}")
    return {} if many else dict(zip(named, args, strict=False))


def function(name: str, names: list[str] | None, numpy: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function with CuPy's parameters, on arrays of the device."""

    def run(*args: Any, **kwargs: Any) -> Any:
        given = bound(name, names, args, kwargs)
        check(name, args, {**given, **kwargs})
        if name == "take":
            return args[0].take(*args[1:], **kwargs)
        if name in HOST:
            if "memory" in name and any(map(is_host_array, args)):
                raise TypeError(f"cupy.{name}: an array in host memory")
            plain = [x._a if isinstance(x, ndarray) else x for x in args]
            return numpy(*plain, **kwargs)
        if name in WAITS:
            synchronizes(name)
        if given and not _same_order(numpy, [*given]):
            first, *others = given.items()
            args, kwargs = (first[1],), {**dict(others), **kwargs}
        return call(numpy, args, kwargs, inplace=name in WRITES)

    run.__name__ = name
    return run


def _same_order(numpy: Callable[..., Any], names: list[str]) -> bool:
    found = _parameters(numpy)
    return found is None or found[1 : len(names)] == names[1:]


@cache
def _parameters(numpy: Callable[..., Any]) -> list[str] | None:
    """Names in NumPy's order; None where Python cannot tell."""
    try:
        return [*inspect.signature(numpy).parameters]
    except (TypeError, ValueError):
        return None


def check(name: str, args: tuple, given: dict) -> None:
    """What CuPy's functions refuse though NumPy's do not."""
    first = args[0] if args else None
    _refuse_bfloat16(name, args)
    if name in PRODUCTS:
        refuses_capture()
    elif name.startswith("linalg."):
        refuses_capture("cuSOLVER")
    if name in JOINS:
        if isinstance(first, ndarray):
            return
        if not all(isinstance(x, ndarray) for x in first):
            raise TypeError(f"{name}: only cupy arrays can be joined")
    elif name not in FREE | HOST and args and not isinstance(first, (ndarray, str)):
        raise TypeError(f"cupy.{name}: expected an array of the device, got {type(first)}")
    for key in ("dtype",):
        if given.get(key) is not None:
            check_dtype(given[key])
    if name in ("sort", "argsort") and given.get("kind") not in (None, "stable"):
        raise ValueError(f"{name}: kind must be None or 'stable'")
    if name == "repeat" and isinstance(given["repeats"], ndarray):
        raise ValueError("'repeats' should be int or sequence")
    if name == "searchsorted" and not isinstance(given["v"], ndarray):
        raise NotImplementedError("Only int or ndarray are supported for v")
    if name == "where" and len(args) == 1:
        synchronizes("where")
    if name in ("quantile", "percentile"):
        how = given.get("method") or "linear"
        if how not in ("linear", "lower", "higher", "midpoint", "nearest"):
            raise ValueError(f"Unexpected interpolation method. Actual: '{how}'")
    if name.startswith("linalg.") and name != "linalg.norm":
        for x in args:
            if isinstance(x, ndarray) and x.dtype.kind not in "fc" or _is_half(x):
                raise TypeError(f"{name}: unsupported dtype {x.dtype}")


def _refuse_bfloat16(name: str, args: tuple) -> None:
    """CuPy compiles what works element by element and what moves data, for bfloat16."""
    if name not in MOVES and any(
        isinstance(x, ndarray) and x.dtype.name == "bfloat16" for x in _flat(list(args))
    ):
        raise TypeError(f"cupy.{name}: bfloat16 is not supported")


def _is_half(x: Any) -> bool:
    return isinstance(x, ndarray) and x.dtype == np.float16


# ---- functions that are not NumPy's --------------------------------------------------------------


def array(obj: Any, dtype: Any = None, copy: bool = True, order: str = "K", subok: Any = None,
          ndmin: int = 0, blocking: bool = False) -> ndarray:  # fmt: skip
    """An array on the current device; nested lists may hold arrays of the device."""
    order = order or "K"
    if dtype is not None:
        check_dtype(dtype)
    if isinstance(obj, ndarray):
        return call(
            lambda a: np.array(a, dtype, copy=copy or None, order=order, ndmin=ndmin), (obj,)
        )
    if isinstance(obj, (list, tuple)) and any(isinstance(x, ndarray) for x in _flat(obj)):
        if not all(isinstance(x, ndarray) for x in _flat(obj)):
            raise TypeError("Implicit conversion to a NumPy array is not allowed.")
        return call(lambda o: np.array(o, dtype, order=order, ndmin=ndmin), (obj,))
    if np.ndim(obj):  # a number is an argument of a kernel
        uploads("array")
    host = np.array(obj, dtype, order="C" if order == "K" else order, ndmin=ndmin)
    check_dtype(host.dtype)
    return adopt(host)


def _flat(x: Any) -> list:
    return [y for v in x for y in _flat(v)] if isinstance(x, (list, tuple)) else [x]


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None,
            blocking: bool = False) -> ndarray:  # fmt: skip
    """The array itself where nothing changes, else a copy."""
    return array(a, dtype, bool(copy), order)


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *,
            blocking: bool = True) -> np.ndarray:  # fmt: skip
    """A copy in host memory."""
    return a.get(stream, order, out, blocking) if isinstance(a, ndarray) else np.asarray(a)


def from_dlpack(array: Any) -> ndarray:
    """An array that shares memory."""
    if not hasattr(array, "__dlpack__"):
        raise TypeError("from_dlpack: not a producer of DLPack")
    kind, _ = array.__dlpack_device__()
    if kind not in (2, 13):
        raise BufferError("CPU arrays cannot be directly imported to CuPy")
    counts["dlpack"] += 1
    inner = getattr(array, "_data", array)
    return adopt(inner._a, [inner])


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """The array with its elements in the order of C."""
    return call(lambda a: np.require(a, dtype, "C").reshape(a.shape), (a,))


def _in_range(indices: np.ndarray, size: int) -> np.ndarray:
    return np.mod(indices, size) if size else indices


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> ndarray:
    """Elements at indices, which wrap."""

    def run(a: np.ndarray, indices: Any, **more: Any) -> np.ndarray:
        size = a.size if axis is None else a.shape[axis]
        return np.asarray(np.take(a, _in_range(indices, size), axis, **more))

    return call(run, (a, indices), {} if out is None else {"out": out})


def take_along_axis(a: Any, indices: Any, axis: Any) -> ndarray:
    """Elements at indices along an axis, which wrap."""
    if axis is None:
        a, axis = a.reshape(-1), 0

    def take(a: np.ndarray, indices: np.ndarray) -> np.ndarray:
        return np.take_along_axis(a, _in_range(indices, a.shape[axis]), axis)

    return call(take, (a, indices))


def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    """Write elements at indices along an axis, which wrap."""

    def put(a: np.ndarray, indices: np.ndarray, values: Any) -> None:
        rows = np.moveaxis(_in_range(indices, a.shape[axis]), axis, -1)
        if np.ndim(values) and (np.diff(np.sort(rows, axis=-1), axis=-1) == 0).any():
            raise AssertionError("which value stays of those written to one place is not defined")
        np.put_along_axis(a, _in_range(indices, a.shape[axis]), values, axis)

    call(put, (arr, indices, values), inplace=True)


SPECIAL = {
    "take_along_axis": take_along_axis, "put_along_axis": put_along_axis,
    "array": array, "asarray": asarray, "asanyarray": asarray, "asnumpy": asnumpy,
    "from_dlpack": from_dlpack, "ascontiguousarray": ascontiguousarray,
    "get_array_module": lambda *args: __import__("cupy")
    if any(isinstance(a, ndarray) for a in args) else np,
}  # fmt: skip


def namespace(module: str) -> dict[str, Any]:
    """The members of a module of CuPy, for those that NumPy has."""
    facts = FACTS[module]
    source: Any = np
    for part in module.split(".")[1:]:
        source = getattr(source, part)
    prefix = "linalg." if module == "cupy.linalg" else ""
    made = {n: getattr(source, n) for n in facts["names"] if hasattr(source, n)}
    for name, types in facts["ufuncs"].items():
        if hasattr(source, name):
            made[name] = Ufunc(name, types, getattr(source, name))
    for name, names in facts["functions"].items():
        if module == "cupy" and name in SPECIAL:
            made[name] = SPECIAL[name]
        elif hasattr(source, name):
            made[name] = function(prefix + name, names, getattr(source, name))
    return made


FUNCTIONS = namespace("cupy")
UFUNCS = {n: f for n, f in FUNCTIONS.items() if isinstance(f, Ufunc)}


# ---- operators and methods -----------------------------------------------------------------------

OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "and": "bitwise_and",
    "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
COMPARISONS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal",
               "gt": "greater", "ge": "greater_equal"}  # fmt: skip


def _refuses(x: Any) -> bool:
    return is_host_array(x) or not isinstance(x, (ndarray, np.generic, int, float, complex))


def _binary(f: Callable[..., Any], swapped: bool = False, inplace: bool = False) -> Callable:
    def method(self: ndarray, other: Any) -> Any:
        if _refuses(other):
            if is_host_array(other):
                raise TypeError(f"Unsupported type {type(other)}")
            return NotImplemented
        if inplace:
            return f(self, other, out=self)
        return f(other, self) if swapped else f(self, other)

    return method


def _inplace(f: Callable[..., Any]) -> Callable:
    def method(self: ndarray, other: Any) -> ndarray:
        f(self, other, out=self)
        return self

    return method


def _methods() -> dict[str, Callable[..., Any]]:
    made: dict[str, Callable[..., Any]] = {}
    for name, ufunc in {**OPERATORS, **COMPARISONS}.items():
        made[f"__{name}__"] = _binary(UFUNCS[ufunc])
        if name in OPERATORS:
            made[f"__r{name}__"] = _binary(UFUNCS[ufunc], swapped=True)
            made[f"__i{name}__"] = _inplace(UFUNCS[ufunc])
    for name, ufunc in {"neg": "negative", "abs": "absolute", "invert": "invert"}.items():
        made[f"__{name}__"] = lambda self, f=UFUNCS[ufunc]: f(self)
    made["__pos__"] = lambda self: self.copy()
    made["__matmul__"] = _binary(FUNCTIONS["matmul"])
    made["__rmatmul__"] = _binary(FUNCTIONS["matmul"], swapped=True)
    made["__divmod__"] = lambda self, other: FUNCTIONS["divmod"](self, other)
    for name, names in FACTS["ndarray"].items():
        if not name.startswith("__") and names is not None and hasattr(np.ndarray, name):
            made[name] = _method(name, names)
    return made


def _method(name: str, names: list[str]) -> Callable[..., Any]:
    numpy = getattr(np.ndarray, name)
    writes = name in ("sort", "partition", "put")
    waits = name in ("nonzero", "compress")

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        given = bound(name, names, args, kwargs)
        check(name, (self, *args), {**given, **kwargs})
        if waits:
            synchronizes(name)
        if given:
            args, kwargs = (), {**given, **kwargs}
            if name in ("take", "repeat", "swapaxes", "choose", "dot", "searchsorted", "put"):
                args, kwargs = tuple(given.values()), {k: kwargs[k] for k in kwargs.keys() - given}
        if name == "take":
            return take(self, *args, **kwargs)
        return call(numpy, (self, *args), kwargs, inplace=writes)

    return method


add_methods(_methods())
