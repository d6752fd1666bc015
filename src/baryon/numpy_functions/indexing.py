"""Functions of the NumPy interface that select, order and place elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..ops.operators import is_number
from .call import call, is_tensor, require_tensors
from .shaping import ravel

__all__ = [
    "argsort", "delete", "diag_indices_from", "insert", "may_share_memory", "nonzero",
    "shares_memory", "sort", "take", "unique", "unravel_index", "where",
]  # fmt: skip


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Elements of `x` where a condition holds, of `y` elsewhere; alone, where it holds.

    >>> mx.np.where(mx.np.array([1, 0]), mx.np.array([5, 6]), 0.0)
    array([5., 0.])
    """
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    if is_number(condition):
        return x if condition else y
    if is_number(x) and is_number(y):
        return call("_npi_where_scalar2", condition, x=float(x), y=float(y))
    if is_number(x):
        return call("_npi_where_lscalar", condition, y, scalar=float(x))
    if is_number(y):
        return call("_npi_where_rscalar", condition, x, scalar=float(y))
    return call("_npi_where", condition, x, y)


def nonzero(a: Any) -> tuple:
    """Positions (int64) of the elements that are not 0, one array an axis.

    >>> mx.np.nonzero(mx.np.array([0, 3, 4]))
    (array([1, 2], dtype=int64),)
    """
    require_tensors("nonzero", a)
    return _rows(call("_npx_nonzero", a if a.ndim else a.reshape(1)).T)


def _rows(found: Any) -> tuple:
    return tuple(found[i] for i in range(found.shape[0]))


def take(
    a: Any, indices: Any, axis: int | None = None, mode: str = "raise", out: Any = None
) -> Any:
    """Elements at integer positions along an axis (None: of the flattened array).

    mode : positions out of range are cut to it ("clip", and "raise" as MXNet has it), or wrap
           around ("wrap").

    >>> mx.np.take(mx.np.array([5, 6, 7]), mx.np.array([2, 0]))
    array([7., 5.])
    """
    if mode not in ("wrap", "clip", "raise"):
        raise NotImplementedError(f"function take does not support mode '{mode}'")
    if is_number(indices) and not is_tensor(indices):
        indices = _positions(a, indices)
    if axis is None:
        a, axis = ravel(a), 0
    mode = "clip" if mode == "raise" else mode
    return call("_npi_take", a, indices, out=out, axis=axis, mode=mode)


def sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None) -> Any:
    """Elements in ascending order along an axis (None: of the flattened array).

    >>> mx.np.sort(mx.np.array([3, 1, 2]))
    array([1., 2., 3.])
    """
    _no_order(order)
    return call("_npi_sort", *_flat(a, axis), axis=-1 if axis is None else axis, is_ascend=True)


def argsort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None) -> Any:
    """Positions (int64) that put the elements in ascending order along an axis.

    >>> mx.np.argsort(mx.np.array([3, 1, 2]))
    array([1, 2, 0], dtype=int64)
    """
    _no_order(order)
    axis_ = -1 if axis is None else axis
    return call("_npi_argsort", *_flat(a, axis), axis=axis_, is_ascend=True, dtype="int64")


def _flat(a: Any, axis: int | None) -> tuple:
    return (ravel(a) if axis is None else a,)


def _no_order(order: Any) -> None:
    if order is not None:
        raise NotImplementedError("order is not supported: arrays have no fields")


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Any:
    """The different elements (along an axis: slices) in order.

    return_index, return_inverse, return_counts : also where each stands first, which one each
    element is, and how often each stands.

    >>> mx.np.unique(mx.np.array([2, 1, 2]), return_counts=True)
    (array([1., 2.]), array([1, 2], dtype=int64))
    """
    found = call("_npi_unique", ar, return_index=return_index, return_inverse=return_inverse,
                 return_counts=return_counts, axis=axis)  # fmt: skip
    return tuple(found) if isinstance(found, list) else found


def _place(name: str, arr: Any, obj: Any) -> tuple[list, dict[str, Any]]:
    """The inputs and attributes that say where: an integer, a slice, or an array of integers."""
    if isinstance(obj, slice):
        return [], {"start": obj.start, "stop": obj.stop, "step": obj.step}
    if isinstance(obj, (int, np.integer)):
        return [], {"int_ind": int(obj)}
    if is_tensor(obj):
        return [obj], {}
    if isinstance(obj, (list, tuple)):
        return [_positions(arr, obj)], {}
    raise TypeError(f"{name}: 'obj' can not support type {type(obj)}")


def _positions(like: Any, obj: Any) -> Any:
    """Positions as an array beside `like`."""
    if not hasattr(like, "_like"):
        raise TypeError("positions in a symbol must be a symbol, too")
    return like._like(backend.of_array(like._data).xp.asarray(obj, dtype=np.int64))


def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """`arr` without the slices at an integer, a slice or integers (None: of the flattened array).

    >>> mx.np.delete(mx.np.array([5, 6, 7]), 1)
    array([5., 7.])
    """
    require_tensors("delete", arr)
    inputs, attrs = _place("delete", arr, obj)
    return call("_npi_delete", arr, *inputs, axis=axis, **attrs)


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """`arr` with values put before an integer position, a slice's or integers.

    >>> mx.np.insert(mx.np.array([5, 7]), 1, 6)
    array([5., 6., 7.])
    """
    require_tensors("insert", arr)
    inputs, attrs = _place("insert", arr, obj)
    if is_number(values):
        given, attrs["val"] = [], float(values)
    else:
        require_tensors("insert", values)
        given = [values]
    kind = "tensor" if inputs else "slice" if isinstance(obj, slice) else "scalar"
    return call(f"_npi_insert_{kind}", arr, *given, *inputs, axis=axis, **attrs)


def unravel_index(indices: Any, shape: tuple[int, ...], order: str = "C") -> Any:
    """For positions in the flattened array, the position along each axis of a shape.

    >>> mx.np.unravel_index(mx.np.array([1, 5], dtype="int64"), (2, 3))
    (array([0, 1], dtype=int64), array([1, 2], dtype=int64))
    """
    if order != "C":
        raise NotImplementedError("unravel_index only supports order 'C'")
    if is_number(indices):
        return np.unravel_index(indices, shape)
    return _rows(call("_unravel_index", indices, shape=shape))


def diag_indices_from(arr: Any) -> tuple:
    """Positions (int64) of the main diagonal of an array whose axes are all as long.

    >>> mx.np.diag_indices_from(mx.np.ones((2, 2)))
    (array([0, 1], dtype=int64), array([0, 1], dtype=int64))
    """
    return _rows(call("_npi_diag_indices_from", arr))


def constraint_check(x: Any, msg: str = "Constraint violated!") -> Any:
    """Whether all elements of a bool array hold; ValueError with a message if they do not.

    >>> mx.npx.constraint_check(mx.np.array([1.0]) > 0, "must be positive")
    array(True)
    """
    return call("_npx_constraint_check", x, msg=msg)


def shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    """Whether two arrays have memory in common."""
    return bool(call("_npi_share_memory", a, b))


may_share_memory = shares_memory
