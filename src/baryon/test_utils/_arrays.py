"""Random arrays and shapes, and NumPy helpers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ndarray
from ..context import Context, current_context
from ..ndarray import NDArray
from ._tolerances import same

Shape = tuple[int, ...]


def random_arrays(*shapes: Shape) -> Any:
    """Normally distributed float32 arrays; a single one is not put into a list.

    >>> a, b = mx.test_utils.random_arrays((2, 3), (4,))
    >>> a.shape, b.dtype
    ((2, 3), dtype('float32'))
    """
    made = [np.asarray(np.random.randn(*shape), dtype=np.float32) for shape in shapes]
    return made[0] if len(made) == 1 else made


def random_uniform_arrays(*shapes: Shape, **kwargs: Any) -> list[np.ndarray]:
    """Uniformly distributed arrays; keywords ``low`` (0), ``high`` (1) and ``dtype`` (float32)."""
    low, high = kwargs.pop("low", 0.0), kwargs.pop("high", 1.0)
    dtype = kwargs.pop("dtype", np.float32)
    if kwargs:
        raise TypeError(f"random_uniform_arrays: unknown arguments {sorted(kwargs)}")
    return [np.random.uniform(low, high, size=shape).astype(dtype) for shape in shapes]


def random_sample(population: Sequence, k: int) -> list:
    """`k` elements of a sequence in random order, none twice."""
    if not 0 <= k <= len(population):
        raise AssertionError(f"cannot take {k} of {len(population)} elements")
    return [population[i] for i in np.random.permutation(len(population))[:k]]


def rand_shape_nd(num_dim: int, dim: int = 10, allow_zero_size: bool = False) -> Shape:
    """A random shape of `num_dim` sizes up to `dim`."""
    sizes = np.random.randint(0 if allow_zero_size else 1, dim + 1, size=num_dim)
    return tuple(int(size) for size in sizes)


def rand_shape_2d(dim0: int = 10, dim1: int = 10, allow_zero_size: bool = False) -> Shape:
    """A random shape of sizes up to `dim0` and `dim1`."""
    return _shape_below((dim0, dim1), allow_zero_size)


def rand_shape_3d(
    dim0: int = 10, dim1: int = 10, dim2: int = 10, allow_zero_size: bool = False
) -> Shape:
    """A random shape of sizes up to `dim0`, `dim1` and `dim2`."""
    return _shape_below((dim0, dim1, dim2), allow_zero_size)


def _shape_below(sizes: Sequence[int], allow_zero_size: bool) -> Shape:
    low = 0 if allow_zero_size else 1
    return tuple(int(np.random.randint(low, size + 1)) for size in sizes)


def rand_coord_2d(x_low: int, x_high: int, y_low: int, y_high: int) -> tuple[int, int]:
    """Random integers x and y, the upper ends excluded."""
    return int(np.random.randint(x_low, x_high)), int(np.random.randint(y_low, y_high))


def rand_ndarray(
    shape: Shape,
    stype: str = "default",
    density: float | None = None,
    dtype: Any = None,
    modifier_func: Callable | None = None,
    shuffle_csr_indices: bool = False,
    distribution: str | None = None,
    ctx: Context | None = None,
) -> NDArray:
    """A random array of any storage type; dense ones are normally distributed.

    density, distribution, modifier_func, shuffle_csr_indices : of sparse arrays; see
    `rand_sparse_ndarray`.

    >>> mx.test_utils.rand_ndarray((2, 3)).shape
    (2, 3)
    """
    if stype == "default":
        values = random_arrays(shape)
        return ndarray.array(values, dtype=dtype or np.float32, ctx=ctx or current_context())
    from ._sparse import create_sparse_array

    return create_sparse_array(
        shape,
        stype,
        dtype=dtype,
        modifier_func=modifier_func,
        density=0.5 if density is None else density,
        shuffle_csr_indices=shuffle_csr_indices,
    )


def create_2d_tensor(rows: int, columns: int, dtype: Any = np.int64) -> NDArray:
    """An array whose elements are their row numbers."""
    return ndarray.array(np.repeat(np.arange(rows)[:, None], columns, axis=1), dtype=dtype)


def create_vector(size: int, dtype: Any = np.int64) -> NDArray:
    """An array of the numbers from 0."""
    return ndarray.arange(0, size, dtype=dtype)


def assign_each(the_input: np.ndarray, function: Callable | None) -> np.ndarray:
    """A function applied to each element; a copy without one."""
    if function is None:
        return np.array(the_input)
    return np.array([function(x) for x in the_input.flat]).reshape(the_input.shape)


def assign_each2(input1: np.ndarray, input2: np.ndarray, function: Callable | None) -> np.ndarray:
    """A function applied to each pair of elements; a copy of the first without one."""
    if input1.shape != input2.shape:
        raise AssertionError(f"shapes differ: {input1.shape} and {input2.shape}")
    if function is None:
        return np.array(input1)
    pairs = zip(input1.flat, input2.flat, strict=True)
    return np.array([function(x, y) for x, y in pairs]).reshape(input1.shape)


def np_reduce(
    dat: np.ndarray, axis: int | Sequence[int] | None, keepdims: bool, numpy_reduce_func: Callable
) -> Any:
    """Reduce over any axes with a function that takes one.

    >>> mx.test_utils.np_reduce(np.ones((2, 3, 4)), (0, 2), True, np.sum).ravel()
    array([8., 8., 8.])
    """
    axes = range(dat.ndim) if axis is None else np.atleast_1d(np.asarray(axis, int))
    axes = sorted({int(i) % dat.ndim for i in axes}, reverse=True)
    found = dat
    for i in axes:
        found = numpy_reduce_func(found, axis=i)
    if not keepdims:
        return found
    return np.asarray(found).reshape([1 if i in axes else n for i, n in enumerate(dat.shape)])


def collapse_sum_like(a: np.ndarray, shape: Shape) -> np.ndarray:
    """Sum over the axes that broadcasting from `shape` would have repeated.

    >>> mx.test_utils.collapse_sum_like(np.ones((2, 3, 4)), (3, 1)).ravel()
    array([8., 8., 8.])
    """
    lead = a.ndim - len(shape)
    if lead < 0 or any(n not in (1, a.shape[lead + i]) for i, n in enumerate(shape)):
        raise AssertionError(f"shape {shape} does not broadcast to {a.shape}")
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1))
    return np.sum(a, axis=axes).reshape(shape)


def same_array(array1: NDArray, array2: NDArray) -> bool:
    """Whether two arrays are the same memory: what is added to one shows in the other."""
    if not same(array1, array2):
        return False
    array1[:] += 1
    shared = same(array1, array2)
    array1[:] -= 1
    return shared
