"""Element-wise operators of the NumPy interface that take one array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from . import rules
from .device import fixed
from .numeric import numeric
from .op import Op, get, op
from .rules import output_dtype
from .samples import constant, integers, normal
from .twins import twin
from .unary import flat

# ---- twins ---------------------------------------------------------------------------------------

_SAME = (
    "arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh degrees exp expm1 fix floor "
    "log log10 log1p log2 negative radians reciprocal rint sign sin sinh sqrt square tan tanh trunc"
)
for _name in _SAME.split():
    twin(get(_name), f"_npi_{_name}", inputs=("x",))
twin(get("abs"), "_npi_absolute", inputs=("x",), aliases=("_npi_abs",))
twin(
    get("_copy"),
    "_np_copy",
    inputs=("a",),
    doc="""A copy of `a`.  (MXNet ``mx.np.copy``.)

    >>> mx.np.copy(mx.np.array([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """,
)
twin(get("relu"), "_npx_relu")
twin(get("sigmoid"), "_npx_sigmoid")
for _name in ("_npi_exp", "_npi_negative", "_npi_tanh"):
    get(_name).sample(x=normal())
    get(_name).sample(x=normal(2, 0, 3))

# ---- questions: bool results ---------------------------------------------------------------------


def question(name: str, body: Callable[[Any, Any], Any], doc: str, printed: str) -> Op:
    """Declare ``_npi_NAME``, whose answers are bool; the example asks about 0, inf and NaN."""

    def run(xp: Any, x: Any) -> Any:
        return body(xp, x)

    run.__name__ = name
    run.__doc__ = (
        f"{doc}\n\nThe result is bool; no gradient flows.  (MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> mx.np.{name}(mx.np.array([0, np.inf, np.nan])).tolist()\n    {printed}\n    "
    )
    made = op(f"_npi_{name}", dtype=output_dtype("bool"))(run)
    made.gradient("x")(flat)
    values = constant([[0.0, 1.5, -2.0], [np.inf, -np.inf, np.nan]])
    made.sample(x=values, _grad=(), _dtypes=("float32", "float64", "float16"))
    made.sample(x=integers(2, 2, low=0, high=2), _grad=(), _dtypes=("int32", "bool"))
    made.sample(x=normal(), _grad=())
    return made


def _infinite(sign: int) -> Callable[[Any, Any], Any]:
    """Whether x is infinite and of that sign; no integer is."""
    return lambda xp, x: xp.isinf(x) & ((x > 0) == (sign > 0))


def _real(ask: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Ask about floating-point numbers only: NumPy has no questions about half types' infinity."""
    return lambda xp, x: ask(xp, x if x.dtype.kind in "biuf" else x.astype(xp.float32))


question("logical_not", lambda xp, x: x == 0, "Whether x is 0.", "[True, False, False]")
question("isnan", lambda xp, x: x != x, "Whether x is not a number.", "[False, False, True]")
question(
    "isinf",
    _real(lambda xp, x: xp.isinf(x)),
    "Whether x is infinite, of either sign.",
    "[False, True, False]",
)
question(
    "isfinite",
    _real(lambda xp, x: xp.isfinite(x)),
    "Whether x is neither infinite nor NaN.",
    "[True, False, False]",
)
question("isposinf", _real(_infinite(1)), "Whether x is +infinity.", "[False, True, False]")
question("isneginf", _real(_infinite(-1)), "Whether x is -infinity.", "[False, False, False]")

# ---- others --------------------------------------------------------------------------------------


@op("_npi_bitwise_not", dtype=rules.integral)
def bitwise_not(xp: Any, x: Any) -> Any:
    """Every bit of an integer (or bool) inverted.  (MXNet ``mx.np.bitwise_not``, ``invert``.)

    >>> mx.np.bitwise_not(mx.np.array([0, 5], dtype="int32")).tolist()
    [-1, -6]
    """
    return xp.invert(x)


bitwise_not.gradient("x")(flat)
bitwise_not.sample(x=integers(2, 3), _grad=(), _dtypes=("int32", "uint8", "bool"))


@op("_npi_around", dtype=numeric)
def around(xp: Any, x: Any, *, decimals: int = 0) -> Any:
    """`x` rounded to `decimals` digits after the point (negative: before it), ties to even.

    Integers are cut towards zero instead. No gradient flows.  (MXNet ``mx.np.around``.)

    >>> mx.np.around(mx.np.array([0.5, 1.5, -2.75]), 0).tolist()
    [0.0, 2.0, -3.0]
    """
    if is_float(np.dtype(x.dtype)):
        wide = x.astype(xp.float64)
        return wide if decimals > 308 else xp.around(wide, max(decimals, -309))
    unit = 10 ** min(max(-decimals, 0), 18)
    return x - xp.fmod(x, unit) if unit <= np.iinfo(x.dtype).max else xp.zeros_like(x)


around.gradient("x")(flat)
around.sample(x=constant([-2.5, -1.5, 0.4, 0.5, 3.25]), _grad=())
around.sample(x=normal(2, 3, scale=100.0), decimals=-1, _grad=())
around.sample(x=integers(4, low=0, high=100), decimals=-1, _grad=(), _dtypes=("int32",))


def _limits(xp: Any, dtype: Any, posinf: float | None, neginf: float | None) -> tuple:
    largest = float(xp.finfo(dtype).max)
    return (largest if posinf is None else posinf, -largest if neginf is None else neginf)


@op("_npi_nan_to_num", inplace={0: "data"})
def nan_to_num(
    xp: Any,
    data: Any,
    *,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Any:
    """`data` with NaN replaced by `nan`, infinities by `posinf` and `neginf`.

    By default infinities become the largest and smallest finite numbers of the type. `copy` is
    the front end's: without it the result is written over `data`. The gradient passes where
    nothing was replaced.  (MXNet ``mx.np.nan_to_num``.)

    >>> mx.np.nan_to_num(mx.np.array([np.nan, np.inf, 2]), posinf=9).tolist()
    [0.0, 9.0, 2.0]
    """
    if not is_float(np.dtype(data.dtype)):
        return data.copy()
    high, low = _limits(xp, data.dtype, posinf, neginf)
    wide = data if data.dtype in (np.float32, np.float64) else data.astype(xp.float32)
    wide = xp.where(wide != wide, fixed(xp, nan, wide.dtype), wide)
    wide = xp.where(wide == np.inf, fixed(xp, high, wide.dtype), wide)
    return xp.where(wide == -np.inf, fixed(xp, low, wide.dtype), wide)


@nan_to_num.gradient("data")
def _(dy: Any, data: Any) -> Any:
    return dy * (data - data == 0)


nan_to_num.sample(data=constant([[1.0, np.nan, np.inf], [-np.inf, 0.0, -2.0]]), _grad=())
nan_to_num.sample(data=normal(2, 3), nan=0.5, posinf=9.0, neginf=-9.0)
nan_to_num.sample(data=integers(2, 3), _grad=(), _dtypes=("int32", "bool"))


def _all_bool(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    if ins[0] not in (None, np.bool_):
        raise MXNetError(f"data type {ins[0]} is not bool")
    return [np.dtype(bool)], [np.dtype(bool)]


class ConstraintViolated(MXNetError, ValueError):
    """What ``npx.constraint_check`` raises; MXNet's is a ValueError."""


@op("_npx_constraint_check", shape=rules.forward(lambda a, x: ()), dtype=_all_bool)
def constraint_check(xp: Any, input: Any, *, msg: str = "Constraint violated.") -> Any:
    """True if every element of `input` (of type bool) is true; else ValueError with `msg`.

    (MXNet ``mx.npx.constraint_check``.)

    >>> bool(mx.npx.constraint_check(mx.np.array([2.0]) > 1, "too small").item())
    True
    """
    if not bool(input.all()):
        raise ConstraintViolated(f"operator _npx_constraint_check: {msg}")
    return xp.ones((), bool)


constraint_check.sample(input=constant([True, True]), _grad=(), _dtypes=("bool",))
