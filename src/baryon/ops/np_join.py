"""Joining and splitting arrays in the NumPy interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from .attrs import Attrs
from .join import joined, split_at, split_v2
from .np_reshape import padded_to
from .op import Gradient, Op, get, op
from .reshape import normalize, reshape_exactly
from .rules import forward, known
from .samples import Draw, normal
from .twins import twin

Shapes = Sequence[tuple[int, ...]]

twin(
    get("stack"),
    "_npi_stack",
    doc="""Arrays of one shape joined along a new axis; `num_args` is filled in by itself.

    (MXNet ``mx.np.stack``.)

    >>> mx.np.stack([mx.np.array([1.0, 2.0]), mx.np.array([3.0, 4.0])], axis=1).tolist()
    [[1.0, 3.0], [2.0, 4.0]]
    """,
).sample(data=[normal(), normal()])


# ---- concatenate ---------------------------------------------------------------------------------


def _concatenated(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    if attrs.axis is not None:
        return joined(attrs.axis, ins, outs)
    return forward(lambda a, *shapes: (sum(map(prod, shapes)),))(attrs, ins, outs)


@op(
    "_npi_concatenate",
    variadic="num_args",
    outputs=("out",),
    shape=_concatenated,
    kernel="Concat",
    params=lambda a, ins, outs: (
        (1,) if a.axis is None else (prod(outs[0].shape[: normalize(a.axis, len(outs[0].shape))]),)
    ),
)
def concatenate(xp: Any, *data: Any, num_args: int, dim: int = 1, axis: int | None = 0) -> Any:
    """Arrays of one type joined along `axis`; None joins the flattened arrays.

    `num_args`, their number, is filled in by itself; `dim` changes nothing, as in MXNet.
    (MXNet ``mx.np.concatenate``.)

    >>> mx.np.concatenate([mx.np.array([1.0]), mx.np.array([2.0, 3.0])]).tolist()
    [1.0, 2.0, 3.0]
    """
    return xp.concatenate([d.reshape(-1) for d in data] if axis is None else data, axis or 0)


def _parts(dy: Any, shapes: Shapes, axis: int) -> list:
    """Parts of `dy` along an axis, under the given shapes."""
    begin, parts = 0, []
    axis = normalize(axis, dy.ndim)
    others = prod(n for i, n in enumerate(dy.shape) if i != axis)
    for shape in shapes:
        end = begin + (prod(shape) // others if others else 0)
        if begin == end:
            parts.append(None)
            continue
        part = get("slice_axis")(dy, axis=axis, begin=begin, end=end)
        parts.append(reshape_exactly(part, shape=shape))
        begin = end
    return parts


@concatenate.gradient("data")
def _(dy: Any, data: Any, axis: Any) -> Any:
    return _parts(dy, [d.shape for d in data], axis or 0)


concatenate.sample(data=[normal(2, 3), normal(2, 2)], axis=1)
concatenate.sample(data=[normal(2, 3), normal(2), normal()], axis=None)
concatenate.sample(data=[normal(0, 3), normal(2, 3)], axis=-2)

# ---- stacks --------------------------------------------------------------------------------------


def stacking(
    name: str,
    seen: Callable[[tuple[int, ...]], tuple[int, ...]],
    axis: Callable[[Shapes], int],
    doc: str,
    example: str,
    samples: Sequence[list[Draw]],
    dim: bool = False,
) -> Op:
    """Declare ``_npi_NAME``: arrays seen under the shape ``seen(shape)`` are joined along an axis.

    dim : whether it has MXNet's attribute of that name, which changes nothing.
    """

    def result(xp: Any, data: Sequence[Any]) -> Any:
        shapes = [seen(d.shape) for d in data]
        parts = [d.reshape(s) for d, s in zip(data, shapes, strict=True)]
        return xp.concatenate(parts, axis=axis(shapes))

    def run(xp: Any, *data: Any, num_args: int) -> Any:
        return result(xp, data)

    def run_dim(xp: Any, *data: Any, num_args: int, dim: int = 1) -> Any:
        return result(xp, data)

    def shape(attrs: Any, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        views = [seen(s) for s in shapes]
        return joined(axis(views), views, [None])[1][0]

    given, printed = example.split(" -> ")
    chosen = run_dim if dim else run
    unused = " `dim` changes nothing." if dim else ""
    chosen.__name__ = name
    chosen.__doc__ = (
        f"{doc}\n\n`num_args`, their number, is filled in by itself.{unused}  "
        f"(MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> a, b = mx.np.array([1.0, 2.0]), mx.np.array([3.0, 4.0])\n"
        f"    >>> mx.np.{name}({given}).tolist()\n    {printed}\n    "
    )
    outputs = ("out",) if dim else ("output",)
    made = op(f"_npi_{name}", variadic="num_args", shape=forward(shape), outputs=outputs)(chosen)

    @made.gradient("data")
    def _(dy: Any, data: Any) -> Any:
        shapes = [d.shape for d in data]
        return _parts(dy, shapes, axis([seen(s) for s in shapes]))

    for draws in samples:
        made.sample(data=draws)
    return made


def _columns(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape, *(1,) * (2 - len(shape)))


_SCALARS = [normal(), normal()]
stacking(
    "vstack",
    lambda s: padded_to(s, 2),
    lambda shapes: 0,
    "Arrays joined along axis 0; those with less than two axes are rows.",
    "[a, b] -> [[1.0, 2.0], [3.0, 4.0]]",
    ([normal(3), normal(3)], [normal(2, 3), normal(1, 3)], _SCALARS),
)
stacking(
    "hstack",
    lambda s: padded_to(s, 1),
    lambda shapes: 0 if len(shapes[0]) == 1 else 1,
    "Arrays joined along axis 1, vectors along their only one.",
    "[a, b] -> [1.0, 2.0, 3.0, 4.0]",
    ([normal(2, 3), normal(2, 1)], [normal(3), normal(2)], _SCALARS),
    dim=True,
)
stacking(
    "dstack",
    lambda s: padded_to(s, 3),
    lambda shapes: 2,
    "Arrays joined along axis 2, which matrices and vectors gain.",
    "[a, b] -> [[[1.0, 3.0], [2.0, 4.0]]]",
    ([normal(2, 3), normal(2, 3)], [normal(3), normal(3)], _SCALARS),
    dim=True,
)
stacking(
    "column_stack",
    _columns,
    lambda shapes: 1,
    "Arrays joined along axis 1; vectors are columns.",
    "[a, b] -> [[1.0, 3.0], [2.0, 4.0]]",
    ([normal(3), normal(3, 2)], [normal(3), normal(3)], _SCALARS),
)

# ---- splits --------------------------------------------------------------------------------------


def splitting(name: str, along: Callable[[int], int], doc: str, example: str) -> Op:
    """Declare ``_npi_NAME``: ``_split_v2`` along axis ``along(ndim)``, whatever its attribute."""

    def shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        if not known(ins[0]):
            return ins, outs
        return split_at(Attrs({**attrs, "axis": along(len(ins[0]))}), ins, outs)

    def body(xp: Any, data: Any, *, axis: int, **attrs: Any) -> Any:
        return split_v2.body(xp, data, axis=along(data.ndim), **attrs)

    given, printed = example.split(" -> ")
    made = twin(
        split_v2,
        f"_npi_{name}",
        shape=shape,
        body=body,
        kernel=False,
        doc=(
            f"{doc}\n\nInto `sections` equal parts, or at `indices`, where they begin; parts\n"
            "lose the axis with `squeeze_axis`. The attribute `axis` changes nothing.\n"
            f"(MXNet ``mx.np.{name}``.)\n\n"
            f"    >>> [part.shape for part in mx.np.{name}({given})]\n    {printed}\n    "
        ),
    )
    rule = split_v2.gradients[0].rule

    def gradient(dys: Any, data: Any, indices: Any, sections: Any) -> Any:
        return rule(dys, data, along(data.ndim), indices, sections)

    made.gradients = [Gradient(("data",), gradient, ("dys", "data", "indices", "sections"))]
    made.samples = []
    return made


hsplit = splitting(
    "hsplit",
    lambda ndim: min(1, ndim - 1),
    "Split along axis 1, a vector along its only one.",
    "mx.np.zeros((2, 6)), 3 -> [(2, 2), (2, 2), (2, 2)]",
)
hsplit.sample(data=normal(2, 6), indices=(), sections=3)
hsplit.sample(data=normal(2, 6), indices=(0, 2, 3), axis=1)
hsplit.sample(data=normal(4), indices=(1,))
dsplit = splitting(
    "dsplit",
    lambda ndim: 2,
    "Split along axis 2.",
    "mx.np.zeros((1, 2, 4)), (1,) -> [(1, 2, 1), (1, 2, 3)]",
)
dsplit.sample(data=normal(1, 2, 4), indices=(0, 1), axis=2)
dsplit.sample(data=normal(1, 2, 4), indices=(), sections=2, axis=2)
