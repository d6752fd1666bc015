"""Einstein's summation, and its gradients, which are sums of the same kind."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..base import MXNetError
from .attrs import Attrs, Shape
from .broadcast import spread
from .numeric import numeric, widen
from .op import op
from .reshape import reshape_exactly
from .rules import forward
from .samples import normal


class Labels(NamedTuple):
    """Letters of each operand's axes and of the result's, with the ellipsis spelt out."""

    operands: tuple[str, ...]
    result: str


def parse(subscripts: str, ranks: Sequence[int]) -> Labels:
    """Read subscripts for operands of these ranks; MXNetError if they do not fit."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    letters = set(text) - set(".,->")
    if not letters <= set(string.ascii_letters) or len(terms) != len(ranks):
        raise MXNetError(f"subscripts {subscripts!r} do not describe {len(ranks)} operands")
    rest = [c for c in string.ascii_letters if c not in letters]
    missing = [r - len(t.replace("...", "")) for t, r in zip(terms, ranks, strict=True)]
    ellipsis = "".join(rest[: max([m for m in missing if m > 0], default=0)])
    operands = []
    for term, more, rank in zip(terms, missing, ranks, strict=True):
        if more < 0 or (more and "..." not in term):
            raise MXNetError(f"subscripts {term!r} do not describe {rank} axes")
        operands.append(term.replace("...", ellipsis[len(ellipsis) - more :] if more else ""))
    if arrow:
        result = right.replace("...", ellipsis)
    else:
        used = left.replace("...", "").replace(",", "")
        result = ellipsis + "".join(sorted(c for c in letters if used.count(c) == 1))
    known = set("".join(operands))
    if len(set(result)) != len(result) or not set(result) <= known:
        raise MXNetError(f"the result of subscripts {subscripts!r} has axes that no operand has")
    return Labels(tuple(operands), result)


def _sizes(labels: Labels, shapes: Sequence[Sequence[int]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for term, shape in zip(labels.operands, shapes, strict=True):
        for label, size in zip(term, shape, strict=True):
            if sizes.setdefault(label, size) in (size, 1):
                sizes[label] = size if sizes[label] == 1 else sizes[label]
            elif size != 1:
                raise MXNetError(f"axes {label!r} have sizes {sizes[label]} and {size}")
    return sizes


def _shape(attrs: Attrs, *shapes: Sequence[int]) -> tuple[int, ...]:
    labels = parse(attrs.subscripts, [len(s) for s in shapes])
    sizes = _sizes(labels, shapes)
    return tuple(sizes[c] for c in labels.result)


@op("_npi_einsum", variadic="num_args", shape=forward(_shape), dtype=numeric)
def einsum(xp: Any, *data: Any, num_args: int, subscripts: str = "", optimize: int = 0) -> Any:
    """Sum of products over the axes that `subscripts` name twice or leave out of the result.

    ``...`` stands for leading axes, which broadcast; without ``->`` the result has the axes named
    once, in alphabetical order. `num_args` is filled in by itself. The order of the products is
    always chosen for speed, with or without `optimize`.  (MXNet ``mx.np.einsum``.)

    >>> a = mx.np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> mx.np.einsum("ij,j->i", a, mx.np.array([1.0, 1.0])).tolist()
    [3.0, 7.0]
    """
    labels = parse(subscripts, [d.ndim for d in data])
    text = ",".join(labels.operands) + "->" + labels.result
    return xp.einsum(text, *(widen(xp, d) for d in data), optimize=len(data) > 1)


@op("_backward_einsum", shape=forward(lambda a, data: a.shape))
def on_diagonal(xp: Any, data: Any, *, axes: Shape, shape: Shape) -> Any:
    """Zeros of `shape` but where all its axes i with equal ``axes[i]`` meet, which is `data`."""
    out = xp.zeros(shape, data.dtype)
    grid = xp.meshgrid(*(xp.arange(n) for n in data.shape), indexing="ij")
    out[tuple(grid[a] for a in axes)] = data
    return out


@on_diagonal.gradient("data")
def _(dy: Any, axes: Any) -> Any:
    term = "".join(string.ascii_letters[a] for a in axes)
    return einsum(dy, subscripts=f"{term}->{''.join(sorted(set(term)))}", num_args=1)


def _operand_gradient(dy: Any, data: Sequence[Any], labels: Labels, k: int) -> Any:
    """Gradient of operand `k`: the head times all others, summed over what `k` does not have."""
    term, sizes = labels.operands[k], _sizes(labels, [d.shape for d in data])
    distinct = "".join(dict.fromkeys(term))
    others = [i for i in range(len(data)) if i != k]
    terms = [labels.result, *(labels.operands[i] for i in others)]
    reachable = "".join(c for c in distinct if c in "".join(terms))
    text = ",".join(terms) + "->" + reachable
    arrays = (dy, *(data[i] for i in others))
    grad = einsum(*arrays, subscripts=text, num_args=len(arrays))
    full = tuple(sizes[c] for c in distinct)
    if grad.shape != full:  # axes that only this operand has were summed alone
        have = [c for c in reachable if grad.shape[reachable.index(c)] == sizes[c]]
        lost = tuple(i for i, c in enumerate(distinct) if c not in have)
        narrow = tuple(sizes[c] for c in have)
        grad = spread(reshape_exactly(grad, shape=narrow), axis=lost, shape=full)
    if distinct == term:
        return grad
    axes = tuple(distinct.index(c) for c in term)
    return on_diagonal(grad, axes=axes, shape=tuple(sizes[c] for c in term))


@einsum.gradient("data")
def _(dy: Any, data: Any, subscripts: str) -> Any:
    labels = parse(subscripts, [len(d.shape) for d in data])
    return [_operand_gradient(dy, data, labels, k) for k in range(len(data))]


for _subscripts, *_shapes in (
    ("ijk->kj", (2, 3, 4)),
    ("ij,ij,i->j", (2, 3), (2, 3), (2,)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("i...,...j", (2, 3), (3, 4)),
    ("ij->", (2, 3)),
    ("ij,kj->i", (2, 3), (4, 3)),
    ("...i,...i->...", (2, 1, 3), (4, 3)),
):
    einsum.sample(data=[normal(*s) for s in _shapes], subscripts=_subscripts)
on_diagonal.sample(data=normal(3, 2), axes=(0, 1, 0), shape=(3, 2, 3))
