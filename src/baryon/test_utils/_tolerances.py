"""Comparing arrays within tolerances that depend on their element types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..dtypes import as_dtype

_EXACT = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def _dtype(value: Any) -> np.dtype:
    return np.dtype(as_dtype(value) if value == "bfloat16" else value)


def _table(**tolerances: float) -> dict[np.dtype, float]:
    """Tolerances by dtype; integers and booleans must be equal."""
    every = {**tolerances, **dict.fromkeys(_EXACT, 0)}
    return {_dtype(name): value for name, value in every.items()}


def default_rtols() -> dict[np.dtype, float]:
    """Relative tolerances by dtype."""
    return _table(float16=1e-2, bfloat16=1e-1, float32=1e-4, float64=1e-5)


def default_atols() -> dict[np.dtype, float]:
    """Absolute tolerances by dtype."""
    return _table(float16=1e-1, bfloat16=1e-1, float32=1e-3, float64=1e-20)


def default_numeric_eps() -> dict[np.dtype, float]:
    """Steps for finite differences by dtype: powers of two."""
    steps = {"float16": 2.0**-6, "float32": 2.0**-9, "float64": 2.0**-14}
    return {np.dtype(name): step for name, step in steps.items()}


def effective_dtype(dat: Any) -> np.dtype:
    """The dtype that decides the tolerance: that of the array."""
    return np.dtype(dat.dtype)


def get_tolerance(dat: Any, tol: float | None, default_tol: Mapping[np.dtype, float]) -> float:
    """`tol`, or the default of an array's dtype."""
    return default_tol[effective_dtype(dat)] if tol is None else tol


def get_tols(x: Any, y: Any, rtol: float | None, atol: float | None) -> tuple[float, float]:
    """Tolerances for comparing two arrays: of each the larger default, where none is given."""
    x, y = (a if hasattr(a, "dtype") else np.asarray(a) for a in (x, y))
    rtols, atols = default_rtols(), default_atols()
    return (
        max(get_tolerance(a, rtol, rtols) for a in (x, y)),
        max(get_tolerance(a, atol, atols) for a in (x, y)),
    )


def get_atol(atol: float | None = None, dtype: Any = np.float64) -> float:
    """`atol`, or the default absolute tolerance of a dtype."""
    return default_atols()[_dtype(dtype)] if atol is None else atol


def get_rtol(rtol: float | None = None, dtype: Any = np.float64) -> float:
    """`rtol`, or the default relative tolerance of a dtype."""
    return default_rtols()[_dtype(dtype)] if rtol is None else rtol


def get_etol(etol: float | None = None) -> float:
    """`etol`, the fraction of elements that may differ, or 0."""
    return 0 if etol is None else etol


def _numpy(a: Any) -> np.ndarray:
    return a.asnumpy() if hasattr(a, "asnumpy") else np.asarray(a)


def _wide(a: Any) -> np.ndarray:
    """As NumPy compares it: half precision widened, booleans as numbers."""
    a = _numpy(a)
    if a.dtype.kind not in "fiuc":
        return a.astype(np.uint8 if a.dtype == bool else np.float32)
    return a.astype(np.float32) if a.dtype == np.float16 else a


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal element by element.

    >>> mx.test_utils.same(mx.nd.ones(2), np.ones(2))
    True
    """
    return np.array_equal(_numpy(a), _numpy(b))


def checkShapes(a: Any, b: Any) -> None:  # noqa: N802
    """AssertionError, which shows both arrays, unless their shapes are equal."""
    if a.shape != b.shape:
        raise AssertionError(
            f"\nItems are not equal: a.shape = {a.shape} and b.shape = {b.shape} are not equal\n"
            f" ACTUAL: {a!r}\n DESIRED: {b!r}"
        )


def almost_equal(
    a: Any,
    b: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    use_broadcast: bool = True,
) -> bool:
    """Whether ``|a - b| <= atol + rtol * |b|`` everywhere.

    equal_nan     : whether NaN equals NaN.
    use_broadcast : whether shapes may differ so that they broadcast.

    >>> mx.test_utils.almost_equal(np.array([1.0]), np.array([1.001]), rtol=1e-2)
    True
    """
    x, y = _wide(a), _wide(b)
    if not use_broadcast and x.shape != y.shape:
        checkShapes(x, y)
    rtol, atol = get_tols(x, y, rtol, atol)
    return bool(np.allclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan))


def _errors(a: np.ndarray, b: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> np.ndarray:
    """``|a - b|`` in units of the tolerance; above 1 where elements differ."""
    with np.errstate(all="ignore"):
        a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
        tolerance = atol + rtol * np.abs(b)
        difference = np.abs(a - b)
        errors = np.where(difference == 0, 0.0, difference / tolerance)
        errors = np.where(a == b, 0.0, errors)  # infinities of one sign
        if equal_nan:
            errors = np.where(np.isnan(a) & np.isnan(b), 0.0, errors)
        return np.where(np.isnan(errors), np.inf, errors)


def locationError(  # noqa: N802
    a: Any,
    b: Any,
    index: tuple,
    names: Sequence[str],
    maxError: bool = False,  # noqa: N803
) -> str:
    """Text that says where two arrays differ, and their elements there."""
    what = "maximum " if maxError else ""
    return f"Location of {what}error: {index}, {names[0]}={a[index]:.8f}, {names[1]}={b[index]:.8f}"


def assert_almost_equal(
    a: Any,
    b: Any,
    rtol: float | None = None,
    atol: float | None = None,
    names: Sequence[str] = ("a", "b"),
    equal_nan: bool = False,
    use_broadcast: bool = True,
    mismatches: tuple[int, int] = (10, 10),
) -> None:
    """AssertionError, with the worst places, unless two arrays are almost equal.

    rtol, atol : tolerances as in `almost_equal`; default: by dtype.
    mismatches : how many places are listed at least, and at most.

    >>> mx.test_utils.assert_almost_equal(mx.nd.ones(2), np.ones(2))
    """
    if a is b:
        return
    rtol, atol = get_tols(a, b, rtol, atol)
    if not use_broadcast:
        checkShapes(a, b)
    if almost_equal(a, b, rtol, atol, equal_nan):
        return
    raise AssertionError(_report(_wide(a), _wide(b), rtol, atol, names, equal_nan, mismatches))


def _report(
    a: np.ndarray,
    b: np.ndarray,
    rtol: float,
    atol: float,
    names: Sequence[str],
    equal_nan: bool,
    mismatches: tuple[int, int],
) -> str:
    """What to say of two arrays that differ."""
    errors = np.atleast_1d(_errors(a, b, rtol, atol, equal_nan))
    left, right = (np.atleast_1d(np.broadcast_to(x, errors.shape)) for x in (a, b))
    order = np.argsort(-errors, axis=None, kind="stable")
    worst = [np.unravel_index(i, errors.shape) for i in order[: max(mismatches)]]
    worst = [tuple(int(i) for i in index) for index in worst]
    wrong = [index for index in worst if errors[index] > 1]
    lines = [
        f"\n*** Maximum errors for vector of size {errors.size}:  rtol={rtol}, atol={atol}\n",
        *(
            f"{i + 1:3d}: Error {errors[index]:f}  {locationError(left, right, index, names)}"
            for i, index in enumerate(wrong)
        ),
    ]
    percent = 100.0 * np.mean(errors > 1)
    lines += [
        "\nItems are not equal:",
        f"Error {errors[worst[0]]:f} exceeds tolerance rtol={rtol:e}, atol={atol:e} "
        f"(mismatch {percent:f}%).",
        locationError(left, right, worst[0], names, maxError=True),
        f" ACTUAL: {a!r}\n DESIRED: {b!r}",
    ]
    return "\n".join(lines)


def assert_allclose(
    a: Any, b: Any, rtol: float = 1e-07, atol: float = 0, equal_nan: bool = True
) -> None:
    """`assert_almost_equal` with the tolerances of ``numpy.testing.assert_allclose``."""
    assert_almost_equal(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


def assert_almost_equal_ignore_nan(
    a: Any,
    b: Any,
    rtol: float | None = None,
    atol: float | None = None,
    names: Sequence[str] = ("a", "b"),
) -> None:
    """`assert_almost_equal` of the elements that are NaN in neither array."""
    x, y = np.copy(_numpy(a)), np.copy(_numpy(b))
    nan = np.isnan(x) | np.isnan(y)
    x[nan] = y[nan] = 0
    assert_almost_equal(x, y, rtol, atol, names)


def assert_almost_equal_with_err(
    a: Any,
    b: Any,
    rtol: float | None = None,
    atol: float | None = None,
    etol: float | None = None,
    names: Sequence[str] = ("a", "b"),
    equal_nan: bool = False,
    mismatches: tuple[int, int] = (10, 10),
) -> None:
    """`assert_almost_equal`, but a fraction `etol` of the elements may differ."""
    etol = get_etol(etol)
    if etol > 0:
        rtol, atol = get_tols(a, b, rtol, atol)
        if np.mean(_errors(_wide(a), _wide(b), rtol, atol, equal_nan) > 1) <= etol:
            return
    assert_almost_equal(a, b, rtol, atol, names, equal_nan, mismatches=mismatches)
