"""Arrays of the NumPy interface made from attributes: a size of 0 is real, -1 is unknown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, DType, Shape
from .creation import ramp
from .fusion import Fusion
from .op import Op, op
from .rules import attr_dtype, forward, unify
from .samples import integers, normal
from .unary import flat


def _declared(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if any(d < -1 for d in attrs.shape):
        raise MXNetError(f"attribute shape {attrs.shape} has negative dimensions")
    return ins, [unify(attrs.shape, outs[0])]


def filled(name: str, value: int) -> Op:
    """Declare ``_npi_NAME``, an array of one value."""

    def run(xp: Any, *, shape: Shape = (), ctx: str = "", dtype: DType = "float32") -> Any:
        return xp.full(tuple(1 if d == -1 else d for d in shape), value, dtype)

    run.__name__ = name
    run.__doc__ = (
        f"An array of {name} of `shape` and `dtype`; `ctx` names the device.\n\n"
        f"(MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> mx.np.{name}((1, 2)).tolist()\n    {[[float(value)] * 2]}\n    "
    )
    made = op(
        f"_npi_{name}",
        shape=_declared,
        dtype=attr_dtype(),
        kernel="_full",
        params=lambda attrs, ins, outs: (float(value),),
    )(run)
    made.fusion = Fusion(uniform=True)
    made.sample(shape=(2, 3))
    made.sample(shape=(2, 0), dtype="int32")
    made.sample(shape=(), dtype="bool")
    return made


filled("zeros", 0)
filled("ones", 1)


def _full_dtype(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [attrs.dtype or ins[0]]


@op("_npi_full_like", dtype=_full_dtype)
def full_like(
    xp: Any, a: Any, *, fill_value: float, ctx: str = "", dtype: DType | None = None
) -> Any:
    """An array of `fill_value` with the shape of `a`, and its type unless `dtype` names one.

    (MXNet ``mx.np.full_like``.)

    >>> mx.np.full_like(mx.np.zeros((1, 2)), 7).tolist()
    [[7.0, 7.0]]
    """
    return xp.full(a.shape, fill_value, dtype or a.dtype)


full_like.gradient("a")(flat)
full_like.sample(a=normal(2, 2), fill_value=2.5, _grad=())
full_like.sample(a=integers(2), fill_value=2.0, dtype="float32", _dtypes=("int32",), _grad=())
full_like.sample(a=normal(), fill_value=1, dtype="bool", _grad=())

# ---- matrices ------------------------------------------------------------------------------------


def _eye_shape(attrs: Attrs) -> tuple[int, int]:
    columns = attrs.N if attrs.M is None else attrs.M
    if min(attrs.N, columns) < 0:
        raise MXNetError(f"N {attrs.N} and M {attrs.M} are not the sides of a matrix")
    return attrs.N, columns


@op(
    "_npi_eye",
    shape=forward(_eye_shape),
    dtype=attr_dtype(),
    kernel="_eye",
    params=lambda a, ins, outs: (a.k,),
)
def np_eye(
    xp: Any, *, N: int, M: int | None = None, k: int = 0, ctx: str = "", dtype: DType = "float32"
) -> Any:
    """An N x M matrix (M None: square) of ones on diagonal `k` and zeros elsewhere.

    (MXNet ``mx.np.eye``.) `dtype` is that of the result.

    >>> mx.np.eye(2, 3, k=1).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return xp.eye(N, M, k, dtype=dtype)


np_eye.sample(N=3, M=4, k=1)
np_eye.sample(N=3, k=-1, dtype="int32")
np_eye.sample(N=0)


def _square(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if len(attrs.shape) != 2 or attrs.shape[0] != attrs.shape[1]:
        raise MXNetError(f"attribute shape {attrs.shape} is not that of a square matrix")
    return _declared(attrs, ins, outs)


@op("_npi_identity", shape=_square, dtype=attr_dtype())
def np_identity(xp: Any, *, shape: Shape = (), ctx: str = "", dtype: DType = "float32") -> Any:
    """The identity matrix.  (MXNet ``mx.np.identity``.)

    It has `shape`, two equal numbers, and `dtype`.

    >>> mx.np.identity(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return xp.eye(*shape, dtype=dtype)


np_identity.sample(shape=(3, 3))


def _indices_shape(attrs: Attrs) -> tuple[int, ...]:
    if any(d < 0 for d in attrs.dimensions):
        raise MXNetError(f"attribute dimensions {attrs.dimensions} has negative sizes")
    return (len(attrs.dimensions), *attrs.dimensions)


@op("_npi_indices", shape=forward(_indices_shape), dtype=attr_dtype())
def indices(xp: Any, *, dimensions: Shape, dtype: DType = "int32", ctx: str = "") -> Any:
    """For each axis of an array of shape `dimensions` the index of every element along it.

    (MXNet ``mx.np.indices``.) `dtype` is that of the result.

    >>> mx.np.indices((1, 2)).tolist()
    [[[0, 0]], [[0, 1]]]
    """
    return xp.indices(dimensions, dtype="int64")


indices.sample(dimensions=(2, 3))
indices.sample(dimensions=(2,), dtype="float32")

# ---- ranges --------------------------------------------------------------------------------------


def _range(attrs: Attrs) -> tuple[float, int]:
    """Start and number of distinct values."""
    start, stop, step = attrs.start, attrs.stop, attrs.step
    if stop is None:
        start, stop = 0.0, attrs.start
    if step == 0 or not all(map(math.isfinite, (start, stop, step))) or attrs.repeat < 1:
        raise MXNetError(f"start {start}, stop {stop}, step {step} do not make a range")
    return start, max(math.ceil((stop - start) / step), 0)


def _range_shape(attrs: Attrs) -> tuple[int]:
    if attrs.infer_range:
        raise MXNetError("attribute infer_range is not supported; pass stop")
    return (_range(attrs)[1] * attrs.repeat,)


@op(
    "_npi_arange",
    shape=forward(_range_shape),
    dtype=attr_dtype(),
    kernel="_arange",
    params=lambda a, ins, outs: (_range(a)[0], a.step, a.repeat),
)
def np_arange(
    xp: Any,
    *,
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    ctx: str = "",
    dtype: DType = "float32",
) -> Any:
    """Numbers from `start` up to `stop` by `step`, each `repeat` times; a lone `start` is the stop.

    There may be none. `infer_range` must be false.  (MXNet ``mx.np.arange``.) `dtype` is that of
    the result.

    >>> mx.np.arange(1, 2, 0.5).tolist()
    [1.0, 1.5]
    """
    begin, count = _range(Attrs(start=start, stop=stop, step=step, repeat=repeat))
    return ramp(xp, begin, step, count, repeat, dtype)


np_arange.sample(start=5)
np_arange.sample(start=1, stop=2, step=0.25, dtype="float64")
np_arange.sample(start=2, stop=1)


def _logspace_shape(attrs: Attrs) -> tuple[int]:
    if attrs.num < 0:
        raise MXNetError(f"attribute num must not be negative, got {attrs.num}")
    return (attrs.num,)


@op("_npi_logspace", shape=forward(_logspace_shape), dtype=attr_dtype())
def logspace(
    xp: Any,
    *,
    start: float,
    stop: float,
    num: int,
    endpoint: bool = True,
    base: float = 10.0,
    ctx: str = "",
    dtype: DType = "float32",
) -> Any:
    """`base` to the power of `num` evenly spaced numbers from `start` to `stop`.

    Without `endpoint` the last one is left out.  (MXNet ``mx.np.logspace``.) `dtype` is that of the
    result.

    >>> mx.np.logspace(0, 2, 3).tolist()
    [1.0, 10.0, 100.0]
    """
    return xp.power(float(base), xp.linspace(start, stop, num, endpoint=endpoint))


logspace.sample(start=0, stop=2, num=3)
logspace.sample(start=0, stop=2, num=4, endpoint=False, base=2.0, dtype="float64")

# ---- windows -------------------------------------------------------------------------------------


def window(name: str, weights: tuple[float, ...], printed: str) -> Op:
    """Declare ``_npi_NAME``: a sum of cosines, ``weights[k] * cos(2 pi k i / (M - 1))``."""

    def run(xp: Any, *, M: int | None = None, ctx: str = "", dtype: DType = "float32") -> Any:
        if M == 1:
            return xp.ones(1)
        angle = 2 * np.pi * xp.arange(M, dtype=xp.float64) / (M - 1)
        return sum(w * xp.cos(k * angle) for k, w in enumerate(weights))

    def shape(attrs: Attrs) -> tuple[int]:
        if attrs.M is None:
            raise MXNetError("attribute M is required")
        return (max(attrs.M, 0),)

    terms = " ".join(f"{w:+} cos({k}x)" for k, w in enumerate(weights))
    run.__name__ = name
    run.__doc__ = (
        f"The {name.capitalize()} window of `M` points: {terms} for x from 0 to 2 pi.\n\n"
        "    One point is 1, `M` below 1 gives none; `dtype` is the result's.\n"
        f"    (MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> [abs(round(w, 2)) for w in mx.np.{name}(3).tolist()]\n    {printed}\n    "
    )
    made = op(f"_npi_{name}", shape=forward(shape), dtype=attr_dtype())(run)
    for size in (5, 1, 0):
        made.sample(M=size)
    made.sample(M=4, dtype="float64")
    return made


window("hanning", (0.5, -0.5), "[0.0, 1.0, 0.0]")
window("hamming", (0.54, -0.46), "[0.08, 1.0, 0.08]")
window("blackman", (0.42, -0.5, 0.08), "[0.0, 1.0, 0.0]")
