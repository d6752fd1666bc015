"""Arithmetic on two tensors: of one shape (``elemwise_*``, ``_power``…) and broadcasting.

Both forms of an operation share body, gradient rules and kernel. A rule of a broadcasting operator
returns a gradient of the output's shape; the reverse walk sums it down to the input's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from string import ascii_lowercase
from typing import Any

from . import rules
from .attrs import Attrs
from .functions import log
from .fusion import Fusion
from .numeric import divide, modulo, numeric, power, widen
from .op import Op, op
from .samples import Draw, normal, uniform
from .storage import ALIGNED, CSR_GATHERED, GATHERED, Case, at_common_rows, at_rows_of_first, case
from .unary import floor

Rules = tuple[Callable[..., Any], Callable[..., Any]]


def binary(
    name: str,
    body: Callable[[Any, Any, Any], Any],
    gradients: Rules,
    *,
    doc: str,
    kernel: str,
    example: str,
    element: str,
    broadcasts: bool = False,
    aliases: Iterable[str] = (),
    onnx: str | None = None,
    storage: Iterable[Case] = (),
    samples: Iterable[tuple[Draw, Draw]] = (),
    **sample_options: Any,
) -> Op:
    """Declare ``body(xp, lhs, rhs)`` as operator `name` with one gradient rule an input.

    example : what the example ``[6, 7] name [2, 4]`` prints.
    element : the operation in CUDA C++, on ``a`` and ``b`` (see `op`).
    """

    def run(xp: Any, lhs: Any, rhs: Any) -> Any:
        return body(xp, lhs, rhs)

    shapes = "Shapes broadcast as in NumPy" if broadcasts else "Both have one shape"
    run.__name__ = name
    space = "mx.nd._internal" if name.startswith("_") else "mx.nd"
    run.__doc__ = (
        f"{doc}\n\n{shapes}; both have one dtype.  (MXNet operator ``{name}``.)\n"
        f"\n    >>> {space}.{name}(mx.nd.array([6.0, 7.0]), mx.nd.array([2.0, 4.0])).asnumpy()\n"
        f"    array({example}, dtype=float32)\n    "
    )
    made = op(
        name,
        aliases=aliases,
        shape=rules.broadcast if broadcasts else rules.same,
        dtype=numeric,
        inplace={0: "lhs"},
        pointwise=True,
        element=element,
        kernel=kernel,
        onnx=onnx,
        storage=storage,
    )(run)
    for side, rule in zip(("lhs", "rhs"), gradients, strict=True):
        made.gradient(side)(rule)
    for lhs, rhs in samples:
        made.sample(lhs=lhs, rhs=rhs, **sample_options)
    return made


Values = Callable[..., Draw]


def both(
    plain: str,
    broadcasting: str,
    body: Callable[[Any, Any, Any], Any],
    gradients: Rules,
    *,
    doc: str,
    example: str,
    element: str,
    plain_aliases: Iterable[str],
    aliases: Iterable[str] = (),
    onnx: str | None = None,
    values: Values = normal,
    storage: Iterable[Case] = (),
    broadcasting_storage: Iterable[Case] = (),
    **sample_options: Any,
) -> tuple[Op, Op]:
    """Declare an operation in its one-shape and its broadcasting form."""
    shared: dict[str, Any] = {"doc": doc, "kernel": broadcasting, "onnx": onnx, **sample_options}
    shared["element"] = element
    return (
        binary(
            plain,
            body,
            gradients,
            example=example,
            aliases=plain_aliases,
            storage=storage,
            samples=[(values(2, 3), values(2, 3))],
            **shared,
        ),
        binary(
            broadcasting,
            body,
            gradients,
            example=example,
            aliases=aliases,
            storage=broadcasting_storage,
            broadcasts=True,
            samples=[
                (values(2, 3), values(2, 3)),
                (values(2, 3, 4), values(1, 3, 1)),
                (values(2, 1, 4), values(3, 1)),
                (values(3, 1), values(1, 3)),
                (values(1), values(2, 3)),
            ],
            **shared,
        ),
    )


def positive(*shape: int) -> Draw:
    """Values in [0.5, 2): safe as divisors and bases."""
    return uniform(*shape, low=0.5, high=2.0)


def pass_on(dy: Any) -> Any:
    """Gradient of a term of a sum."""
    return dy


elemwise_add, broadcast_add = both(
    "elemwise_add",
    "broadcast_add",
    lambda xp, a, b: a + b,
    (pass_on, pass_on),
    element="a + b",
    doc="Sum, ``lhs + rhs``.",
    example="[ 8., 11.]",
    plain_aliases=("_add", "_plus", "_Plus", "_sparse_elemwise_add"),
    aliases=("broadcast_plus", "_sparse_broadcast_add", "_sparse_broadcast_plus"),
    onnx="Add",
    storage=ALIGNED,
)
elemwise_add.fusion = broadcast_add.fusion = Fusion(adds=True)
elemwise_sub, broadcast_sub = both(
    "elemwise_sub",
    "broadcast_sub",
    lambda xp, a, b: a - b,
    (pass_on, lambda dy: -dy),
    element="a - b",
    doc="Difference, ``lhs - rhs``.",
    example="[4., 3.]",
    plain_aliases=("_sub", "_minus", "_Minus", "_sparse_elemwise_sub"),
    aliases=("broadcast_minus", "_sparse_broadcast_sub", "_sparse_broadcast_minus"),
    onnx="Sub",
    storage=ALIGNED,
)
elemwise_mul, broadcast_mul = both(
    "elemwise_mul",
    "broadcast_mul",
    lambda xp, a, b: a * b,
    (lambda dy, rhs: dy * rhs, lambda dy, lhs: dy * lhs),
    element="a * b",
    doc="Product, ``lhs * rhs``.",
    example="[12., 28.]",
    plain_aliases=("_mul", "_Mul", "_sparse_elemwise_mul"),
    aliases=("_sparse_broadcast_mul",),
    onnx="Mul",
    storage=(*ALIGNED, *GATHERED),
    broadcasting_storage=CSR_GATHERED,
)
elemwise_div, broadcast_div = both(
    "elemwise_div",
    "broadcast_div",
    divide,
    (lambda dy, rhs: dy / rhs, lambda dy, rhs, out: -dy * out / rhs),
    element="a / b",
    doc="Quotient, ``lhs / rhs``; integers are cut towards zero, and 0 where rhs is 0.",
    example="[3.  , 1.75]",
    plain_aliases=("_div", "_Div", "_sparse_elemwise_div"),
    aliases=("_sparse_broadcast_div",),
    onnx="Div",
    values=positive,
    broadcasting_storage=CSR_GATHERED,
)
both(
    "_mod",
    "broadcast_mod",
    modulo,
    (pass_on, lambda dy, lhs, rhs: -dy * floor(lhs / rhs)),
    element="modulo(a, b)",
    doc="Remainder with the sign of rhs; 0 where rhs is 0.",
    example="[0., 3.]",
    plain_aliases=("_Mod",),
    onnx="Mod",
    values=positive,
)
elemwise_power, broadcast_power = both(
    "_power",
    "broadcast_power",
    power,
    (
        lambda dy, lhs, rhs: dy * rhs * elemwise_or_broadcast_power(lhs, rhs - 1),
        lambda dy, lhs, out: dy * out * log(lhs),
    ),
    element="pow(a, b)",
    doc="Power, ``lhs ** rhs``.",
    example="[  36., 2401.]",
    plain_aliases=("_Power",),
    onnx="Pow",
    values=positive,
)


def elemwise_or_broadcast_power(lhs: Any, rhs: Any) -> Any:
    """``lhs ** rhs`` with whichever form fits the shapes."""
    return (elemwise_power if lhs.shape == rhs.shape else broadcast_power)(lhs, rhs)


both(
    "_hypot",
    "broadcast_hypot",
    lambda xp, a, b: xp.hypot(widen(xp, a), widen(xp, b)),
    (lambda dy, lhs, out: dy * lhs / out, lambda dy, rhs, out: dy * rhs / out),
    element="hypot(a, b)",
    doc="Length of the hypotenuse, ``sqrt(lhs**2 + rhs**2)``, without overflow.",
    example="[6.3245554, 8.062258 ]",
    plain_aliases=("_Hypot",),
    values=positive,
    storage=ALIGNED,
)
both(
    "_maximum",
    "broadcast_maximum",
    lambda xp, a, b: xp.maximum(a, b),
    (lambda dy, lhs, rhs: dy * (lhs >= rhs), lambda dy, lhs, rhs: dy * (lhs < rhs)),
    element="a > b || a != a ? a : b",
    doc="Larger of lhs and rhs, NaN if either is; at ties the gradient goes to lhs.",
    example="[6., 7.]",
    plain_aliases=("_Maximum",),
    aliases=("_npi_maximum",),
    onnx="Max",
    storage=ALIGNED,
)
both(
    "_minimum",
    "broadcast_minimum",
    lambda xp, a, b: xp.minimum(a, b),
    (lambda dy, lhs, rhs: dy * (lhs <= rhs), lambda dy, lhs, rhs: dy * (lhs > rhs)),
    element="a < b || a != a ? a : b",
    doc="Smaller of lhs and rhs, NaN if either is; at ties the gradient goes to lhs.",
    example="[2., 4.]",
    plain_aliases=("_Minimum",),
    aliases=("_npi_minimum",),
    onnx="Min",
    storage=ALIGNED,
)
grad_add = binary(
    "_grad_add",
    lambda xp, a, b: a + b,
    (pass_on, pass_on),
    element="a + b",
    doc="Sum of two gradients.",
    example="[ 8., 11.]",
    kernel="broadcast_add",
    onnx="Add",
    samples=[(normal(2, 3), normal(2, 3))],
)
_AT_ITS_ROWS = tuple(
    case(f"row_sparse {other} -> row_sparse", at_rows_of_first)
    for other in ("default", "row_sparse", "csr")
)
binary(
    "_scatter_elemwise_div",
    divide,
    (lambda dy, rhs: dy / rhs, lambda dy, rhs, out: -dy * out / rhs),
    element="a / b",
    doc="Quotient that leaves the absent rows of a sparse lhs absent.",
    example="[3.  , 1.75]",
    kernel="broadcast_div",
    storage=_AT_ITS_ROWS,
    samples=[(normal(2, 3), positive(2, 3))],
)


def _sum_of(attrs: Attrs) -> str | None:
    few = attrs.num_args is not None and attrs.num_args <= len(ascii_lowercase)
    return " + ".join(ascii_lowercase[: attrs.num_args]) if few else None


@op(
    "add_n",
    aliases=("ElementWiseSum", "_sparse_ElementWiseSum", "_sparse_add_n"),
    variadic="num_args",
    dtype=numeric,
    pointwise=True,
    element=_sum_of,
    kernel=True,
    onnx="Sum",
    storage=[case("row_sparse... -> row_sparse", at_common_rows)],
)
def add_n(xp: Any, *args: Any, num_args: int | None = None) -> Any:
    """Sum of any number of tensors of one shape and dtype.  (MXNet operator ``add_n``.)

    >>> mx.nd.add_n(mx.nd.array([1.0]), mx.nd.array([2.0]), mx.nd.array([4.0])).asnumpy()
    array([7.], dtype=float32)
    """
    total = args[0].copy()
    for term in args[1:]:
        total += term
    return total


@add_n.gradient("args")
def _(dy: Any, args: Any) -> Any:
    return [dy for _ in args]


add_n.sample(args=[normal(2, 3), normal(2, 3), normal(2, 3)])
