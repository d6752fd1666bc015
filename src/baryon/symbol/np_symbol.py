"""`_Symbol`: the symbol of the NumPy interface (``mx.sym.np._Symbol``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import namespaces
from ..base import MXNetError
from ..dtypes import dtype_name
from ..numpy_functions.call import attributes, call, public_name
from ..numpy_functions.methods import NumpyMethods
from ..ops.op import Op, get
from ._symbol import Symbol, compose

__all__ = ["FRONT", "_Symbol", "draw"]


class _Symbol(NumpyMethods, Symbol):
    """A symbol with NumPy's operators, methods and basic indexing.

    `Symbol.as_np_ndarray` makes one; functions of ``mx.sym.np`` and ``mx.sym.npx`` take and give
    them.

    >>> x = mx.sym.var("x").as_np_ndarray()
    >>> (x[1:] + 1).mean().list_arguments()
    ['x']
    """

    __slots__ = ()

    def _meets(self, other: Any) -> bool:
        return isinstance(other, _Symbol)

    @staticmethod
    def _number(value: Any) -> dict[str, Any]:
        return {"scalar": float(value), "is_int": not isinstance(value, float)}

    @staticmethod
    def _apply(op: Op, inputs: Sequence[Any], raw: Mapping[str, Any]) -> Any:
        return _compose(op, inputs, raw, public_name(op.name).lower())

    @staticmethod
    def _apply_numpy(
        op: Op,
        inputs: Sequence[Any],
        attrs: Mapping[str, Any],
        out: Any = None,
        hint: str | None = None,
    ) -> Any:
        for x in inputs:
            if not isinstance(x, _Symbol):
                raise TypeError(
                    f"{op.name}: expected a symbol of the NumPy interface, got "
                    f"{type(x).__name__}; `as_np_ndarray()` makes one of a Symbol"
                )
        if out is not None:
            raise MXNetError(f"{op.name}: a symbol has no memory, so `out` must be None")
        made = _compose(op, inputs, attrs, hint or public_name(op.name).lower())
        return list(made) if len(made) > 1 else made

    def _cast(self, dtype: Any, copy: bool) -> Any:
        return call("_npi_cast", self, dtype=dtype_name(dtype))

    def _reshaped(self, shape: tuple[int, ...]) -> Any:
        return call("_np_reshape", self, newshape=shape)

    def as_nd_ndarray(self) -> Symbol:
        """The same symbol as a legacy Symbol."""
        return Symbol(self._entries)

    def as_np_ndarray(self) -> _Symbol:
        """Itself."""
        return self

    def __iter__(self) -> Any:
        if len(self) == 1:
            raise TypeError("'_Symbol' is not iterable: the length of its first axis is not known")
        return super().__iter__()

    def __getitem__(self, key: Any) -> Any:
        """An output of several; of one, its elements at integers and slices along leading axes."""
        if len(self) > 1 or isinstance(key, str):
            return super().__getitem__(key)
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(p, bool) or not isinstance(p, (int, slice)) for p in parts):
            raise IndexError(
                f"Only integer, slice, or tuple of these types are supported! Received key={key}"
            )
        bounds = [(p.start, p.stop, p.step) if isinstance(p, slice) else _one(p) for p in parts]
        if not bounds:
            return self
        begin, end, step = zip(*bounds, strict=True)
        found = call("_npi_slice", self, begin=begin, end=end, step=step)
        dropped = tuple(i for i, p in enumerate(parts) if isinstance(p, int))
        return call("_np_squeeze", found, axis=dropped) if dropped else found

    def __setitem__(self, key: Any, value: Any) -> None:
        raise NotImplementedError("a symbol has no memory to assign to")


def _one(at: int) -> tuple[int, int | None, None]:
    """The slice of one position."""
    return at, at + 1 if at != -1 else None, None


_Symbol.__module__ = "baryon.symbol.numpy"


def _compose(
    op: Op,
    inputs: Sequence[Any],
    raw: Mapping[str, Any],
    hint: str,
    name: str | None = None,
    attr: Mapping[str, str] | None = None,
) -> _Symbol:
    return _Symbol(compose(op, inputs, raw, name, attr, hint)._entries)


def draw(name: str, *inputs: Any, out: Any = None, **attrs: Any) -> Any:
    """Declare an operator, also one without inputs."""
    op = get(name)
    return _Symbol._apply_numpy(op, inputs, attributes(op, attrs), out, public_name(name))


def _make(op: Op) -> Any:
    def function(
        *args: Any,
        name: str | None = None,
        attr: Mapping[str, str] | None = None,
        out: Any = None,
        **kwargs: Any,
    ) -> _Symbol:
        if out is not None:
            raise MXNetError(f"{op.name}: a symbol has no memory, so `out` must be None")
        actual = namespaces.meant(op, kwargs, ())
        inputs, raw = namespaces.split(actual, args, kwargs)
        return _compose(actual, inputs, raw, function.__name__.lower(), name, attr)

    return function


FRONT = namespaces.Front(
    "baryon.symbol.numpy", _make, "_Symbol", ("name", "attr", "out"), completes=True
)
