"""Functions that make symbols: variables, groups, constants, and symbols from files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import attribute
from ..base import MXNetError
from ..dtypes import dtype_code, dtype_name
from ..files import open_binary
from ..graph.graph import Entry, Node
from ..graph.json import from_json
from ..ops.op import get
from ._symbol import Symbol, compose
from .spelling import stored

__all__ = [
    "Group", "Variable", "arange", "eye", "full", "histogram", "linspace", "load", "load_json",
    "ones", "split_v2", "var", "zeros",
]  # fmt: skip

_STYPES = {"default": 0, "row_sparse": 1, "csr": 2}


def var(
    name: str,
    attr: Mapping[str, str] | None = None,
    shape: Sequence[int] | None = None,
    lr_mult: float | None = None,
    wd_mult: float | None = None,
    dtype: Any = None,
    init: Any = None,
    stype: str | None = None,
    **kwargs: str,
) -> Symbol:
    """A variable. What is given besides the name is kept as its attributes.

    >>> mx.sym.var("w", shape=(2, 3), lr_mult=2.0).attr("lr_mult")
    '2.0'
    """
    if not isinstance(name, str):
        raise TypeError(f"a variable's name must be a string, got {name!r}")
    attrs = dict(attribute.current().get(attr))
    given = {"shape": None if shape is None else str(tuple(shape)), "lr_mult": lr_mult,
             "wd_mult": wd_mult, "dtype": None if dtype is None else dtype_code(dtype),
             "init": init if init is None or isinstance(init, str) else init.dumps(),
             "storage_type": None if stype is None else _STYPES[stype]}  # fmt: skip
    attrs.update({f"__{k}__": str(v) for k, v in given.items() if v is not None})
    for key, value in kwargs.items():
        if not (key.startswith("__") and key.endswith("__")):
            raise ValueError(f"attribute {key!r} of a variable must look like __{key}__")
        attrs[key] = str(value)
    for key, value in attrs.items():
        if not isinstance(value, str):
            raise ValueError(f"attribute {key} must be a string, got {value!r}")
    return Symbol([Entry(Node(None, name, attrs=stored(attrs)))])


Variable = var


def Group(symbols: Sequence[Symbol], create_fn: Callable[..., Symbol] = Symbol) -> Symbol:
    """One symbol with all outputs of several.

    >>> mx.sym.Group([mx.sym.var("a"), mx.sym.var("b")]).list_outputs()
    ['a', 'b']
    """
    symbols = list(symbols)
    if not symbols or not all(isinstance(s, Symbol) for s in symbols):
        raise TypeError("Group expects a list of at least one Symbol")
    return create_fn([e for s in symbols for e in s._entries])


def load_json(json_str: str) -> Symbol:
    """The symbol of a JSON string, as `Symbol.tojson` or any MXNet since 0.8 wrote it.

    >>> mx.sym.load_json((mx.sym.var("x") + 1).tojson()).list_arguments()
    ['x']
    """
    if not isinstance(json_str, str):
        raise TypeError(f"load_json expects a string, got {type(json_str).__name__}")
    return Symbol(from_json(json_str))


def load(fname: str) -> Symbol:
    """The symbol in a JSON file; MXNetError that names the file if it holds none.

    >>> import pathlib, tempfile
    >>> path = str(pathlib.Path(tempfile.mkdtemp(), "net.json"))
    >>> mx.sym.relu(mx.sym.var("x"), name="y").save(path)
    >>> mx.sym.load(path).list_outputs()
    ['y_output']
    """
    if not isinstance(fname, str):
        raise TypeError(f"load expects a file name, got {type(fname).__name__}")
    with open_binary(fname) as file:
        content = file.read()
    try:
        return load_json(content.decode())
    except (MXNetError, UnicodeDecodeError) as error:
        raise MXNetError(f"{fname}: {error}") from None


def _make(op: str, hint: str, kwargs: dict[str, Any], **attrs: Any) -> Symbol:
    """A symbol without inputs."""
    name, attr = kwargs.pop("name", None), kwargs.pop("attr", None)
    attrs = {k: v for k, v in attrs.items() if v is not None}
    if attrs.get("dtype") is not None:
        attrs["dtype"] = dtype_name(attrs["dtype"])
    return compose(get(op), (), {**kwargs, **attrs}, name, attr, hint)


def zeros(shape: Any, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Zeros of a shape (0: unknown, to be inferred).

    >>> mx.sym.zeros((2,)).eval()[0].asnumpy()
    array([0., 0.], dtype=float32)
    """
    return _make("_zeros", "_zeros", kwargs, shape=shape, dtype=dtype or "float32")


def ones(shape: Any, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Ones of a shape.

    >>> mx.sym.ones((2,)).eval()[0].asnumpy()
    array([1., 1.], dtype=float32)
    """
    return _make("_ones", "_ones", kwargs, shape=shape, dtype=dtype or "float32")


def full(shape: Any, val: float, dtype: Any = None, **kwargs: Any) -> Symbol:
    """One value throughout a shape.

    >>> mx.sym.full((2,), 3).eval()[0].asnumpy()
    array([3., 3.], dtype=float32)
    """
    return _make("_full", "_full", kwargs, shape=shape, value=float(val), dtype=dtype or "float32")


def eye(N: int, M: int = 0, k: int = 0, dtype: Any = None, **kwargs: Any) -> Symbol:
    """Ones on the k-th diagonal of an N x M (default: N x N) matrix of zeros.

    >>> mx.sym.eye(2).eval()[0].asnumpy()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    return _make("_eye", "_eye", kwargs, N=N, M=M, k=k, dtype=dtype or "float32")


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    name: str | None = None,
    dtype: Any = None,
) -> Symbol:
    """Evenly spaced values in [start, stop), each `repeat` times.

    >>> mx.sym.arange(3).eval()[0].asnumpy()
    array([0., 1., 2.], dtype=float32)
    """
    return _make("_arange", "_arange", {"name": name}, start=start, stop=str(stop), step=step,
                 repeat=repeat, infer_range=infer_range, dtype=dtype or "float32")  # fmt: skip


def linspace(
    start: float,
    stop: float,
    num: int,
    endpoint: bool = True,
    name: str | None = None,
    dtype: Any = None,
) -> Symbol:
    """`num` evenly spaced values from start to stop.

    >>> mx.sym.linspace(0, 1, 3).eval()[0].asnumpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return _make("_linspace", "_linspace", {"name": name}, start=start, stop=stop, num=num,
                 endpoint=endpoint, dtype=dtype or "float32")  # fmt: skip


def split_v2(
    ary: Symbol, indices_or_sections: Any, axis: int = 0, squeeze_axis: bool = False
) -> Symbol:
    """Parts along an axis: equal sections (int), or cut before the given indices.

    >>> mx.sym.split_v2(mx.sym.var("x"), (1,)).infer_shape(x=(3, 2))[1]
    [(1, 2), (2, 2)]
    """
    return ary.split_v2(indices_or_sections, axis, squeeze_axis)


def histogram(
    a: Symbol, bins: int | Symbol = 10, range: tuple[float, float] | None = None, **kwargs: Any
) -> Symbol:
    """How many values fall into each bin, and the edges of the bins.

    bins : their number, over `range`; or a symbol of their edges.

    >>> counts, edges = mx.sym.histogram(mx.sym.var("x"), bins=3, range=(0, 3))
    >>> counts.eval(x=mx.nd.array([0, 1, 1, 3]))[0].asnumpy()
    array([1, 2, 1])
    """
    name, attr = kwargs.pop("name", None), kwargs.pop("attr", None)
    if isinstance(bins, Symbol):
        return compose(get("_histogram"), (a, bins), kwargs, name, attr)
    if not isinstance(bins, int):
        raise ValueError("bins must be an integer or a Symbol of the bins' edges")
    if range is None:
        raise ValueError("histogram: a number of bins needs a range")
    return compose(get("_histogram"), (a,), {"bin_cnt": bins, "range": range}, name, attr)
