"""Functions of the NumPy interface that join arrays and cut them in parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .call import call, require_tensors
from .shaping import ravel

__all__ = [
    "append", "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "column_stack",
    "concatenate", "dsplit", "dstack", "hsplit", "hstack", "resize", "row_stack", "split",
    "stack", "vsplit", "vstack",
]  # fmt: skip


def _all(name: str, arrays: Any) -> list:
    found = list(arrays)
    require_tensors(name, *found)
    if not found:
        raise ValueError(f"{name}: need at least one array")
    return found


def concatenate(seq: Sequence[Any], axis: int | None = 0, out: Any = None) -> Any:
    """Arrays joined along an axis; with None, all their elements along one.

    >>> mx.np.concatenate([mx.np.ones(2), mx.np.zeros(1)])
    array([1., 1., 0.])
    """
    arrays = _all("concatenate", seq)
    if axis is None:
        arrays, axis = [ravel(x) for x in arrays], 0
    return call("_npi_concatenate", *arrays, out=out, axis=axis)


def stack(arrays: Sequence[Any], axis: int = 0, out: Any = None) -> Any:
    """Arrays of one shape joined along a new axis.

    >>> mx.np.stack([mx.np.ones(2), mx.np.zeros(2)], axis=1).shape
    (2, 2)
    """
    return call("_npi_stack", *_all("stack", arrays), out=out, axis=axis)


def vstack(arrays: Sequence[Any], out: Any = None) -> Any:
    """Arrays joined along the first axis; vectors are rows.

    >>> mx.np.vstack([mx.np.ones(2), mx.np.zeros((1, 2))]).shape
    (2, 2)
    """
    return call("_npi_vstack", *_all("vstack", arrays), out=out)


row_stack = vstack


def hstack(arrays: Sequence[Any]) -> Any:
    """Arrays joined along the second axis, vectors along their only one.

    >>> mx.np.hstack([mx.np.ones(2), mx.np.zeros(1)])
    array([1., 1., 0.])
    """
    return call("_npi_hstack", *_all("hstack", arrays))


def dstack(arrays: Sequence[Any]) -> Any:
    """Arrays joined along the third axis, which those of fewer axes gain.

    >>> mx.np.dstack([mx.np.ones(2), mx.np.zeros(2)]).shape
    (1, 2, 2)
    """
    return call("_npi_dstack", *_all("dstack", arrays))


def column_stack(tup: Sequence[Any]) -> Any:
    """Arrays joined along the second axis; vectors are columns.

    >>> mx.np.column_stack([mx.np.ones(2), mx.np.zeros(2)]).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    return call("_npi_column_stack", *_all("column_stack", tup))


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """`arr` followed by `values`; without an axis both are flattened.

    >>> mx.np.append(mx.np.ones(2), mx.np.zeros(1))
    array([1., 1., 0.])
    """
    return concatenate([arr, values], axis)


def resize(a: Any, new_shape: int | Sequence[int]) -> Any:
    """The elements row by row, from the start again where they do not suffice, under a new shape.

    >>> mx.np.resize(mx.np.array([1, 2, 3]), (2, 2)).tolist()
    [[1.0, 2.0], [3.0, 1.0]]
    """
    require_tensors("resize", a)
    new = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
    if any(n < 0 for n in new):
        raise ValueError("all elements of `new_shape` must be non-negative")
    wanted = int(np.prod(new, dtype=np.int64))
    flat = ravel(a)
    times = -(-wanted // max(a.size, 1))
    found = concatenate([flat] * times) if times > 1 else flat
    return call("_npx_reshape", found[:wanted], newshape=new)


def _at_least(n: int) -> Any:
    name = f"atleast_{n}d"

    def function(*arys: Any, **kwargs: Any) -> Any:
        return call(f"_np_{name}", *_all(name, arys))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"Arrays of fewer than {n} dimensions with axes of size 1 added; one, or a list.\n\n"
        f">>> mx.np.{name}(mx.np.array(1.0)).ndim\n{n}"
    )
    return function


atleast_1d, atleast_2d, atleast_3d = map(_at_least, (1, 2, 3))


# ---- parts ---------------------------------------------------------------------------------------


def _parts(op: str, ary: Any, where: Any, axis: int) -> list:
    require_tensors(op.rsplit("_", 1)[1], ary)
    attrs: dict[str, Any] = {"axis": axis, "squeeze_axis": False, "indices": ()}
    if isinstance(where, int):
        if where <= 0:
            raise ValueError("number sections must be larger than 0.")
        attrs["sections"] = where
    elif isinstance(where, (list, set, tuple)):
        attrs["indices"] = (0, *where)
    else:
        raise ValueError("indices_or_sections must be either int, or tuple / list / set of ints")
    found = call(op, ary, **attrs)
    return found if isinstance(found, list) else [found]


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list:
    """Parts along an axis: that many equal ones (int), or cut before the given positions.

    >>> [p.shape for p in mx.np.split(mx.np.ones((5, 2)), (1, 4))]
    [(1, 2), (3, 2), (1, 2)]
    """
    if isinstance(indices_or_sections, int) and hasattr(ary, "shape"):
        size = ary.shape[axis]
        if indices_or_sections <= 0 or size % indices_or_sections:
            raise ValueError("array split does not result in an equal division")
    return _parts("_npi_split", ary, indices_or_sections, axis)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list:
    """Like `split`; where parts cannot be equal, the first ones are longer by one.

    >>> [p.shape for p in mx.np.array_split(mx.np.ones(5), 2)]
    [(3,), (2,)]
    """
    require_tensors("array_split", ary)
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, more = divmod(ary.shape[axis], indices_or_sections)
        ends = np.cumsum([each + (i < more) for i in range(indices_or_sections)])
        indices_or_sections = [int(e) for e in ends[:-1]]
    return _parts("_npi_split", ary, indices_or_sections, axis)


def vsplit(ary: Any, indices_or_sections: Any) -> list:
    """Parts along the first axis, of an array of at least two dimensions.

    >>> [p.shape for p in mx.np.vsplit(mx.np.ones((4, 2)), 2)]
    [(2, 2), (2, 2)]
    """
    if getattr(ary, "ndim", 2) < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


def hsplit(ary: Any, indices_or_sections: Any) -> list:
    """Parts along the second axis, or the only one of a vector.

    >>> [p.shape for p in mx.np.hsplit(mx.np.ones((2, 4)), 2)]
    [(2, 2), (2, 2)]
    """
    if getattr(ary, "ndim", 1) < 1:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return _parts("_npi_hsplit", ary, indices_or_sections, 1)


def dsplit(ary: Any, indices_or_sections: Any) -> list:
    """Parts along the third axis.

    >>> [p.shape for p in mx.np.dsplit(mx.np.ones((2, 2, 4)), 2)]
    [(2, 2, 2), (2, 2, 2)]
    """
    if getattr(ary, "ndim", 3) < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return _parts("_npi_dsplit", ary, indices_or_sections, 2)
