"""Reductions of the NumPy interface: any axes, none of them for ``()``, down to shape ()."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs, DType, Shape
from .broadcast import axes_of, spread, total
from .cast import cast
from .fusion import Fusion
from .op import Op, op
from .rules import Rule, forward, output_dtype
from .samples import Draw, constant, distinct, integers, normal, uniform
from .unary import flat


def np_axes(axis: tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """The axes that NumPy's `axis` names, ascending: all for None, none for ().

    An array without axes may be reduced along axis 0 or -1, too.
    """
    if axis == () or ndim == 0 and axis in ((0,), (-1,)):
        return ()
    return axes_of(axis, ndim)


def np_reduced(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """What remains of `shape`: with `keepdims` sizes 1, else nothing, of the reduced axes."""
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def reduced(a: Attrs, data: tuple[int, ...], *more: Any) -> tuple[int, ...]:
    """Shape of a reduction with attributes `axis` and `keepdims`."""
    return np_reduced(data, np_axes(a.axis, len(data)), a.keepdims)


def over(value: Any, data: Any, axis: Any) -> Any:
    """A reduction's result (or its head gradient) repeated to the shape of `data`."""
    return spread(value, axis=np_axes(axis, len(data.shape)), shape=data.shape)


def like(value: Any, other: Any) -> Any:
    """A graph entry in the type of another."""
    return value if value.dtype == other.dtype else cast(value, dtype=other.dtype)


def count(shape: tuple[int, ...], axis: Any) -> int:
    """How many elements a reduction joins in one."""
    return math.prod(shape[i] for i in np_axes(axis, len(shape)))


def _params(a: Attrs, ins: Any, outs: Any) -> tuple[int, ...] | None:
    """Axes for the legacy kernels, which know neither a start nor changes of type."""
    plain = a.get("initial") is None and ins[0].dtype == outs[0].dtype
    return np_axes(a.axis, len(ins[0].shape)) if plain and ins[0].size else None


_DOC = (
    "axis: axes to reduce, all for None; keepdims: leave them with size 1; initial: a value to\n"
    "begin with, which `mean` has not. A full reduction has shape ()."
)


def reduction(
    name: str,
    body: Callable[..., Any],
    gradient: Callable[..., Any],
    *,
    doc: str,
    printed: str,
    dtype: Rule,
    typed: bool = False,
    start: Callable[..., Any] | None = None,
    kernel: str | None = None,
    aliases: Iterable[str] = (),
    draw: Callable[..., Draw] = normal,
) -> Op:
    """Declare ``body(xp, data, axes, dtype)`` as a reduction, of [[1, 2], [3, 4]] in its example.

    typed : whether it has the attribute `dtype`.    start : how a result meets `initial`.
    """

    def result(xp: Any, a: Any, axis: Any, dtype: Any, keepdims: bool, initial: Any) -> Any:
        axes = np_axes(axis, a.ndim)
        value = body(xp, a, axes, dtype)
        if initial is not None:
            value = start(xp, value, initial)
        return value.reshape(np_reduced(a.shape, axes, keepdims))

    def run_typed(
        xp: Any,
        a: Any,
        *,
        axis: Shape | None = None,
        dtype: DType | None = None,
        keepdims: bool = False,
        initial: float | None = None,
    ) -> Any:
        return result(xp, a, axis, dtype, keepdims, initial)

    def run(
        xp: Any,
        a: Any,
        *,
        axis: Shape | None = None,
        keepdims: bool = False,
        initial: float | None = None,
    ) -> Any:
        return result(xp, a, axis, None, keepdims, initial)

    def shape(attrs: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
        if attrs.initial is not None and start is None:
            raise MXNetError("attribute initial has no meaning here")
        return reduced(attrs, data)

    public = name.split("_", 2)[2]
    chosen = run_typed if typed else run
    chosen.__name__ = public
    more = "; initial: what the result starts from" if start else ""
    types = "dtype: type of the result. " if typed else ""
    chosen.__doc__ = (
        f"{doc}\n\n{_DOC[:-1]}{more}.\n{types}(MXNet ``mx.np.{public}``.)\n\n"
        f"    >>> mx.np.{public}(mx.np.array([[1.0, 2.0], [3.0, 4.0]]), axis=1).tolist()\n"
        f"    {printed}\n    "
    )
    made = op(
        name, aliases=aliases, shape=forward(shape), dtype=dtype, kernel=kernel or False,
        params=_params,
    )(chosen)  # fmt: skip
    made.gradient("a")(gradient)
    made.fusion = Fusion(reduces=lambda attrs, ndim: np_axes(attrs.axis, ndim))
    made.sample(a=draw(2, 3, 4))
    made.sample(a=draw(2, 3, 4), axis=(0, 2), keepdims=True)
    made.sample(a=draw(2, 3, 4), axis=-1)
    made.sample(a=draw(2, 3), axis=())
    made.sample(a=draw())
    made.sample(a=draw(2, 0, 3), axis=2)
    made.sample(a=integers(2, 3), axis=0, _dtypes=("int32", "int8"), _grad=())
    if start:
        made.sample(a=draw(2, 3), axis=0, initial=0.5, _dtypes=("float64",))
    if typed:
        made.sample(a=draw(2, 3), axis=1, dtype="float64")
    return made


# ---- sums and products ---------------------------------------------------------------------------


def _sum_dtype(attrs: Attrs, dtype: Any) -> Any:
    return attrs.dtype or ("int64" if dtype == np.bool_ else dtype)


def _mean_dtype(attrs: Attrs, dtype: Any) -> Any:
    return attrs.dtype or (dtype if dtype is None or is_float(dtype) else "float32")


def _wide(xp: Any, x: Any, dtype: Any) -> Any:
    """`x` in the type in which it is added up for a result of `dtype` (None: its own)."""
    if is_float(np.dtype(x.dtype)):
        return x.astype(xp.float64)
    integral = dtype is None or not is_float(np.dtype(dtype))
    return x.astype(xp.int64 if integral else xp.float64)


def _mean(xp: Any, x: Any, axes: tuple, dtype: Any) -> Any:
    number = math.prod(x.shape[i] for i in axes)
    return total(x.astype(xp.float64), axes) / max(number, 1)


def _sum_gradient(dy: Any, a: Any, axis: Any) -> Any:
    return over(dy, a, axis)


def _mean_gradient(dy: Any, a: Any, axis: Any) -> Any:
    return over(dy / max(count(a.shape, axis), 1), a, axis)


def _prod_gradient(dy: Any, a: Any, out: Any, axis: Any) -> Any:
    return over(dy * out, a, axis) / like(a, dy)


def _positive(*shape: int) -> Draw:
    return uniform(*shape, low=0.5, high=1.5)


np_sum = reduction(
    "_np_sum",
    lambda xp, x, axes, dtype: _wide(xp, x, dtype).sum(axis=axes),
    _sum_gradient,
    doc="Sum; bool is summed as int64.",
    printed="[3.0, 7.0]",
    dtype=output_dtype(_sum_dtype),
    typed=True,
    start=lambda xp, value, initial: value + initial,
    kernel="sum",
)
np_mean = reduction(
    "_npi_mean",
    _mean,
    _mean_gradient,
    doc="Arithmetic mean; integers give float32. The mean of nothing is 0, as in MXNet.",
    printed="[1.5, 3.5]",
    dtype=output_dtype(_mean_dtype),
    typed=True,
    kernel="mean",
)
np_prod = reduction(
    "_np_prod",
    lambda xp, x, axes, dtype: _wide(xp, x, dtype).prod(axis=axes),
    _prod_gradient,
    doc="Product; its gradient is ``product / x``, NaN where x is 0, as in MXNet.",
    printed="[2.0, 12.0]",
    dtype=output_dtype(_sum_dtype),
    typed=True,
    start=lambda xp, value, initial: value * initial,
    kernel="prod",
    aliases=("_np_product",),
    draw=_positive,
)

# ---- extremes ------------------------------------------------------------------------------------


def _extreme(name: str) -> Callable[..., Any]:
    def body(xp: Any, x: Any, axes: tuple, dtype: Any) -> Any:
        if not math.prod(x.shape[i] for i in axes):
            if x.size or math.prod(n for i, n in enumerate(x.shape) if i not in axes):
                raise MXNetError(f"operator _np_{name}: no element along axes {axes} of {x.shape}")
            return xp.zeros(np_reduced(x.shape, axes, False), x.dtype)
        return getattr(x, name)(axis=axes)

    return body


def _extreme_gradient(dy: Any, a: Any, out: Any, axis: Any) -> Any:
    return over(dy, a, axis) * (a == over(out, a, axis))


for _name, _printed, _start, _doc in (
    ("max", "[2.0, 4.0]", lambda xp, v, initial: xp.maximum(v, v.dtype.type(initial)), "Largest"),
    ("min", "[1.0, 3.0]", lambda xp, v, initial: xp.minimum(v, v.dtype.type(initial)), "Smallest"),
):
    reduction(
        f"_np_{_name}",
        _extreme(_name),
        _extreme_gradient,
        doc=f"{_doc} value, NaN if there is one; the gradient goes to every tied entry.",
        printed=_printed,
        dtype=output_dtype(lambda attrs, dtype: dtype),
        start=_start,
        kernel=_name,
        aliases=(f"_np_a{_name}",),
        draw=distinct,
    )

# ---- truth ---------------------------------------------------------------------------------------


def truth(name: str, body: Callable[..., Any], doc: str, printed: str, aliases: tuple) -> Op:
    """Declare ``_np_NAME``, a reduction to bool."""

    def run(xp: Any, data: Any, *, axis: Shape | None = None, keepdims: bool = False) -> Any:
        axes = np_axes(axis, data.ndim)
        return body(xp, data != 0, axes).reshape(np_reduced(data.shape, axes, keepdims))

    run.__name__ = name
    run.__doc__ = (
        f"{doc}, as bool (NaN is not 0).\n\n{_DOC}\n(MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> mx.np.{name}(mx.np.array([[0.0, 2.0], [3.0, 4.0]]), axis=1).tolist()\n"
        f"    {printed}\n    "
    )
    made = op(f"_np_{name}", aliases=aliases, shape=forward(reduced), dtype="bool")(run)
    made.gradient("data")(flat)
    values = constant([[0.0, 2.0, 0.0], [1.0, 3.0, 0.0]])
    for axis in (None, (1,), (), (0, 1)):
        made.sample(data=values, axis=axis, keepdims=axis == (1,), _grad=())
    made.sample(data=integers(2, 3, low=0, high=2), axis=0, _grad=(), _dtypes=("int32", "bool"))
    made.sample(data=normal(0, 3), axis=0, _grad=())
    return made


truth(
    "all",
    lambda xp, x, axes: xp.all(x, axis=axes),
    "Whether no element is 0",
    "[False, True]",
    (),
)
truth(
    "any",
    lambda xp, x, axes: xp.any(x, axis=axes),
    "Whether some element is not 0",
    "[True, True]",
    ("_np_sometrue",),
)
for _made in (np_sum, np_prod):
    _made.sample(a=integers(2, 3, low=0, high=2), axis=1, _grad=(), _dtypes=("bool",))
