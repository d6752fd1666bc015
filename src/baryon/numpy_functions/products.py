"""Products of arrays of the NumPy interface."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from ..ops.operators import is_number
from .call import accelerated, call, require_tensors
from .shaping import ravel

__all__ = ["dot", "einsum", "inner", "matmul", "outer", "polyval", "tensordot", "vdot"]


@accelerated("_npi_matmul")
def matmul(a: Any, b: Any, out: Any = None, **kwargs: Any) -> Any:
    """Matrix product of the last two axes, the others broadcast; a vector is a row or a column.

    >>> mx.np.matmul(mx.np.ones((2, 3)), mx.np.ones(3))
    array([3., 3.])
    """
    return call("_npi_matmul", a, b, out=out)


@accelerated("_np_dot")
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """Product: of vectors a number, of matrices a matrix, of more axes over the last and the second
    last; a number multiplies.

    >>> mx.np.dot(mx.np.ones(3), mx.np.ones(3))
    array(3.)
    """
    if is_number(a) or is_number(b):
        return a * b
    return call("_np_dot", a, b, out=out)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum of products over axes: the last of `a` with the first of `b` (int), or two lists of them.

    >>> mx.np.tensordot(mx.np.ones((2, 3)), mx.np.ones((3, 2)), 1).shape
    (2, 2)
    """
    if not np.iterable(axes):
        return call("_npi_tensordot_int_axes", a, b, axes=axes)
    if len(axes) != 2:
        raise ValueError("Axes must consist of two arrays.")
    first, second = (tuple(x) if np.iterable(x) else (x,) for x in axes)
    if len(first) != len(second):
        raise ValueError("Axes length mismatch")
    return call("_npi_tensordot", a, b, a_axes_summed=first, b_axes_summed=second)


def inner(a: Any, b: Any) -> Any:
    """Sum of products over the last axes.

    >>> mx.np.inner(mx.np.ones(3), mx.np.ones(3))
    array(3.)
    """
    return tensordot(a, b, [-1, -1])


def outer(a: Any, b: Any) -> Any:
    """Every element of the flattened `a` times every element of the flattened `b`.

    >>> mx.np.outer(mx.np.ones(2), mx.np.ones(3)).shape
    (2, 3)
    """
    return tensordot(ravel(a), ravel(b), 0)


def vdot(a: Any, b: Any) -> Any:
    """Sum of products of the flattened arrays.

    >>> mx.np.vdot(mx.np.ones((2, 2)), mx.np.ones(4))
    array(4.)
    """
    return tensordot(ravel(a), ravel(b), 1)


def einsum(*operands: Any, **kwargs: Any) -> Any:
    """Sums of products as Einstein's notation says them: ``einsum("ij,jk->ik", a, b)``.

    optimize : whether the order of products may change.    out : array that takes the result.

    >>> mx.np.einsum("ij->j", mx.np.ones((2, 3)))
    array([2., 2., 2.])
    """
    optimize, out = kwargs.pop("optimize", False), kwargs.pop("out", None)
    if kwargs:
        raise TypeError(f"einsum: unsupported arguments {', '.join(kwargs)}")
    if not operands or not isinstance(operands[0], str):
        raise MXNetError("einsum: the first argument must be the subscripts, such as 'ij,jk->ik'")
    subscripts, *arrays = operands
    return call(
        "_npi_einsum", *arrays, out=out, subscripts=subscripts, optimize=int(bool(optimize))
    )


def polyval(p: Any, x: Any) -> Any:
    """The polynomial with coefficients `p`, highest power first, at `x`.

    >>> mx.np.polyval(mx.np.array([1, 0, 2]), mx.np.array([3.0]))
    array([11.])
    """
    require_tensors("polyval", p, x)
    return call("_npi_polyval", p, x)
