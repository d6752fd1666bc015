"""Attention as one operator, which stores no scores: the fuse pass draws it."""

from __future__ import annotations

from typing import Any, Literal

from .attention import joined, part_of, size_of_head
from .attrs import Attrs
from .numeric import widen
from .op import op
from .rules import known, uniform_among
from .samples import integers, normal
from .softmax import softmax

LAYOUTS = ("self", "cross", "stacked")  # as csrc/kernels/fused_attention.cpp counts them
PARTS = {"self": (3,), "cross": (1, 2)}  # of each head in each input


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if not all(map(known, ins)):
        return ins, outs
    first = ins[0]
    if attrs.layout == "stacked":
        return ins, [(*first[:-1], ins[2][-1])]
    size = size_of_head(first, attrs.heads, PARTS[attrs.layout][0])
    return ins, [(*first[:2], attrs.heads * size)]


def _flops(attrs: Attrs, ins: Any, outs: Any) -> int:
    keys = ins[0 if attrs.layout == "self" else 1].shape
    return 4 * outs[0].size * keys[-2 if attrs.layout == "stacked" else 0]


def _params(attrs: Attrs, ins: Any, outs: Any) -> tuple:
    layout = LAYOUTS.index(attrs.layout)
    return layout, attrs.heads, attrs.scale, attrs.masked, attrs.use_length


@op(
    "_fused_attention",
    derived=True,
    variadic="num_args",
    shape=_shapes,
    dtype=uniform_among(0),
    kernel=True,
    params=_params,
    flops=_flops,
)
def fused_attention(
    xp: Any,
    *data: Any,
    num_args: int,
    layout: Literal["self", "cross", "stacked"],
    heads: int = 1,
    scale: float = 1.0,
    masked: bool = False,
    use_length: bool = False,
) -> Any:
    """``softmax(queries keys^T scale + mask) values`` for each head.

    data : what holds queries, keys and values, then the mask if it is `masked`, then with
    `use_length` how many of the keys count for each query.
    layout : ``"self"``, ``"cross"``: interleaved as MXNet's operators interleaved_matmul_selfatt
    and encdec take them; ``"stacked"``: three arrays (..., length, size).
    """
    count = 3 if layout == "stacked" else len(PARTS[layout])
    if layout == "stacked":
        queries, keys, values = (widen(xp, x) for x in data[:3])
    else:
        queries, keys, values = _parts(xp, data[:count], layout, heads)
    scores = xp.matmul(queries, keys.swapaxes(-1, -2)) * scale
    rest = list(data[count:])
    if masked:
        scores = scores + widen(xp, rest.pop(0))
    weights = softmax.body(xp, scores, *rest)
    result = xp.matmul(weights, values)
    return result if layout == "stacked" else joined(xp, result, data[0].shape[1])


def _parts(xp: Any, data: tuple, layout: str, heads: int) -> list:
    counts = PARTS[layout]
    return [
        part_of(xp, x, heads, count, i)
        for x, count in zip(data, counts, strict=True)
        for i in range(count)
    ]


_stacked = {"layout": "stacked", "scale": 0.5}
for _shape, _keys, _size in (((2, 9, 4), 7, 4), ((3, 33, 20), 150, 17), ((2, 2, 40, 64), 300, 64)):
    _lead, _rows = _shape[:-2], _shape[-2]
    _data = [normal(*_shape), normal(*_lead, _keys, _shape[-1]), normal(*_lead, _keys, _size)]
    fused_attention.sample(data=_data, **_stacked)
    for _mask in ((1, _rows, _keys), (*_lead, 1, _keys), (*_lead, _rows, _keys)):
        fused_attention.sample(data=[*_data, normal(*_mask, scale=3.0)], masked=True, **_stacked)
    _lengths = integers(*_lead, _rows, high=_keys + 1)
    fused_attention.sample(data=[*_data, _lengths], use_length=True, **_stacked)
fused_attention.sample(data=[normal(35, 2, 48)], layout="self", heads=2, scale=0.3)
fused_attention.sample(
    data=[normal(19, 2, 30), normal(140, 2, 60), normal(4, 19, 140)],
    **dict(layout="cross", heads=2, scale=0.3, masked=True),
)
