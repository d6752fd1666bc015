"""What operators do with sparse arrays: cases, each a pattern of storage types and a body.

A call takes the first case that fits the storage types of its inputs. Where none fits, the dense
body runs on dense copies. Most operators state one of the shared tuples below:

- `KEEPS`: zero stays zero, so the body computes the stored values alone;
- `KEEPS_ZERO`: the same, for attributes with which zero stays zero (found by trying);
- `ALIGNED`: operands of one kind meet at the places that either stores;
- `GATHERED`: a sparse operand meets the elements of a dense one at its own places;
- ``lazy(...)``: an optimizer's update of the rows that the gradient stores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import dtype_code
from ..native import native
from .stored import Csr, Patch, RowSparse, Stored, dense, rows_of, starts, store_all

Body = Callable[[Any, Any, Any, Sequence[Any]], Any]
Condition = Callable[[Any, Any], bool]


class Case(NamedTuple):
    """``body(op, xp, attrs, arrays)`` for inputs of the types `takes`: results of types `gives`.

    when : ``(op, attrs)`` -> whether the case holds for these attributes.
    """

    takes: tuple[str, ...]
    gives: tuple[str, ...]
    body: Body
    when: Condition | None = None

    def fits(self, op: Any, attrs: Any, stypes: Sequence[str]) -> bool:
        """Whether a call with these storage types and attributes is of this case."""
        takes = self.takes
        if takes[-1].endswith("..."):
            takes = (takes[-1][:-3],) * len(stypes)
        return takes == tuple(stypes) and (self.when is None or self.when(op, attrs))


def case(pattern: str, body: Body, when: Condition | None = None) -> Case:
    """A case from a pattern such as ``"csr default -> row_sparse"``.

    ``csr...`` stands for any number of csr inputs.
    """
    takes, gives = (tuple(side.split()) for side in pattern.split("->"))
    return Case(takes, gives, body, when)


def zero_stays(op: Any, attrs: Any) -> bool:
    """Whether the operator makes zero of zero, tried on a number."""
    return not op.run(np, attrs, [np.zeros(1, np.float32)])[0].any()


# ---- bodies --------------------------------------------------------------------------------------


def on_values(op: Any, xp: Any, attrs: Any, arrays: Sequence[Any]) -> Stored:
    """The dense body on the stored values."""
    (x,) = arrays
    return x.with_values(op.run(xp, attrs, [x.values])[0])


def at_common_rows(op: Any, xp: Any, attrs: Any, arrays: Sequence[RowSparse]) -> RowSparse:
    """The dense body on the rows that any operand stores."""
    first = arrays[0]
    if all(_same(x.indices, first.indices) for x in arrays):
        return first.with_values(op.run(xp, attrs, [x.values for x in arrays])[0])
    rows = xp.unique(xp.concatenate([x.indices for x in arrays]))
    (values,) = op.run(xp, attrs, [rows_of(xp, x, rows) for x in arrays])
    return RowSparse(values, rows, arrays[0].shape)


def at_common_places(op: Any, xp: Any, attrs: Any, arrays: Sequence[Csr]) -> Csr:
    """The dense body on the elements that any operand stores; zeros are dropped."""
    shape = arrays[0].shape
    keys = [x.rows(xp) * shape[1] + x.indices for x in arrays]
    places, found = _merged(xp, keys)
    aligned = []
    for x, at in zip(arrays, found, strict=True):
        values = xp.zeros(places.shape, x.dtype)
        values[at] = x.values
        aligned.append(values)
    (values,) = op.run(xp, attrs, aligned)
    kept = values != 0
    places = places[kept]
    indptr = starts(xp, places // shape[1], shape[0])
    return Csr(values[kept], places % shape[1], indptr, shape)


def _same(a: Any, b: Any) -> bool:
    return a is b or (a.shape == b.shape and bool((a == b).all()))


def _merged(xp: Any, keys: Sequence[Any]) -> tuple[Any, list[Any]]:
    """All distinct keys in order, and where those of each operand are among them."""
    if all(_same(k, keys[0]) for k in keys[1:]) and bool((keys[0][1:] > keys[0][:-1]).all()):
        return keys[0], [slice(None)] * len(keys)
    together = xp.concatenate(keys)
    # Each operand's keys ascend as a rule, and numpy's stable sort merges runs.
    order = xp.argsort(together, kind="stable") if xp is np else together.argsort()
    ordered = together[order]
    new = xp.ones(ordered.shape, bool)
    new[1:] = ordered[1:] != ordered[:-1]
    places = xp.empty(together.shape, np.int64)
    places[order] = xp.cumsum(new) - 1
    bounds = np.cumsum([0, *map(len, keys)])
    return ordered[new], [places[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def at_its_places(op: Any, xp: Any, attrs: Any, arrays: Sequence[Any]) -> Any:
    """The dense body on the places that the sparse one of two operands stores.

    Where the sparse one is broadcast itself its places say little: the body runs on everything.
    """
    (sparse,) = (x for x in arrays if isinstance(x, Stored))
    if np.broadcast_shapes(*(x.shape for x in arrays)) != sparse.shape:
        return op.run(xp, attrs, [dense(x) for x in arrays])[0]
    is_csr = isinstance(sparse, Csr)
    place = (sparse.rows(xp), sparse.indices) if is_csr else sparse.indices
    met = [x.values if x is sparse else xp.broadcast_to(x, sparse.shape)[place] for x in arrays]
    return sparse.with_values(op.run(xp, attrs, met)[0])


def at_rows_of_first(op: Any, xp: Any, attrs: Any, arrays: Sequence[Any]) -> RowSparse:
    """The dense body on the rows that the first operand stores."""
    first, second = arrays
    met = dense(second) if isinstance(second, Csr) else second
    (values,) = op.run(xp, attrs, [first.values, rows_of(xp, met, first.indices)])
    return first.with_values(values)


def _run_native(op: Any, attrs: Any, arrays: Sequence[Any]) -> list[Any] | None:
    """The new values of an update by its kernel, where that serves; states change in place."""
    if native is None or op.kernel is None or not isinstance(arrays[0], np.ndarray):
        return None
    outs = [np.empty_like(arrays[0]), *(arrays[i] for i in op.mutated(attrs))]
    numbers = op.kernel_params(attrs, arrays, outs)
    described = [[(a.shape, dtype_code(a.dtype)) for a in group] for group in (arrays, outs)]
    if numbers is None or not native.accepts(op.kernel, *described, tuple(numbers)):
        return None
    native.run_kernel(op.kernel, list(arrays), outs, tuple(numbers))
    return outs


def on_rows_of_gradient(op: Any, xp: Any, attrs: Any, arrays: Sequence[Any]) -> tuple[Patch, ...]:
    """An update of the rows that the gradient stores; the other rows stay as they are.

    An array that stores nothing yet stores all rows from then on, so that they are found in place.
    """
    at = op.inputs.index("grad")
    rows = arrays[at].indices
    met = [
        xp.ascontiguousarray(x.values) if i == at else rows_of(xp, x, rows)
        for i, x in enumerate(arrays)
    ]
    written = [arrays[0], *(arrays[i] for i in op.mutated(attrs))]
    results = _run_native(op, attrs, met) or op.run(xp, attrs, met)
    for x in written:
        if isinstance(x, RowSparse) and not len(x.indices):
            store_all(x)
    return tuple(Patch(x, rows, r) for x, r in zip(written, results, strict=True))


# ---- tuples to state on operators ----------------------------------------------------------------


def keeps(when: Condition | None = None) -> tuple[Case, ...]:
    """The result is stored as the operand is."""
    return (
        case("csr -> csr", on_values, when),
        case("row_sparse -> row_sparse", on_values, when),
    )


KEEPS = keeps()
KEEPS_ZERO = keeps(zero_stays)
ALIGNED = (
    case("csr csr -> csr", at_common_places),
    case("row_sparse row_sparse -> row_sparse", at_common_rows),
)
CSR_GATHERED = (case("csr default -> csr", at_its_places),)
GATHERED = (
    *CSR_GATHERED,
    case("default csr -> csr", at_its_places),
    case("row_sparse default -> row_sparse", at_its_places),
    case("default row_sparse -> row_sparse", at_its_places),
)


def lazy(*patterns: str) -> tuple[Case, ...]:
    """Updates of the gradient's rows for inputs of these types, unless ``lazy_update`` is off."""
    return tuple(
        case(
            f"{p} -> {p.split()[0]}", on_rows_of_gradient, lambda op, a: a.get("lazy_update", True)
        )
        for p in patterns
    )
