"""The catalogue's one kind of entry: `Op`, made by the `@op` decorator and found by `get`.

What is declared of an operator (`declared`), and what calls ask of it: attributes from arguments,
shapes and dtypes of results, numbers for kernels, the results themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, negative_zeros
from .declared import Declared, Gradient, Pullback, Spec
from .device import device_body
from .rules import Rule, known, show

__all__ = ["FAULTS", "REGISTRY", "Gradient", "Op", "Pullback", "Spec"]

FAULTS = (
    MXNetError,
    ArithmeticError,  # an attribute of 0, or one that no array size can be
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
)  # what bad arguments make of rules and bodies, which read as if they were good
_MOST_ELEMENTS = 2**48
_INTERNED_LIMIT = 4096  # distinct attribute sets kept per operator before the memo starts afresh

REGISTRY: dict[str, Op] = {}


class Op(Declared):
    """An operator, as calls see it (see `op` for what is declared)."""

    def __init__(self, body: Callable[..., Any], name: str, **facts: Any) -> None:
        super().__init__(body, name, **facts)
        self._on_device: Callable[..., Any] | None = None
        self._memo: dict[Any, Attrs] = {}
        self._interned: dict[Attrs, Attrs] = {}
        self._inferred: dict[Any, tuple[Spec, ...]] = {}

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    # ---- arguments -------------------------------------------------------------------------------

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list, dict[str, Any]]:
        """Split a call's arguments into inputs (None where absent) and raw attributes."""
        by_place = 0 < len(args) <= len(self.inputs) and args[-1] is not None
        if by_place and kwargs.keys().isdisjoint(self.inputs):  # the usual call
            return list(args), dict(kwargs)
        raw = {k: v for k, v in kwargs.items() if k not in self.inputs}
        if self.many:
            return list(args) or list(kwargs.get(self.inputs[0], ())), raw
        names = (*self.inputs, *self.attrs)
        if len(args) > len(names):
            raise MXNetError(
                f"operator {self.name}: takes at most {len(names)} arguments, got {len(args)}"
            )
        given = dict(zip(names, args, strict=False))
        for name, value in given.items():
            if name in kwargs:
                raise MXNetError(f"operator {self.name}: argument {name} given twice")
            if name in self.attrs:
                raw[name] = value
        inputs = [given.get(n, kwargs.get(n)) for n in self.inputs]
        while inputs and inputs[-1] is None:
            inputs.pop()
        return inputs, raw

    def check_count(self, attrs: Attrs, count: int) -> None:
        """MXNetError unless the attribute that counts the inputs, or sets of them, divides them."""
        said = attrs[self.variadic] if self.variadic else 1
        if count and (said < 1 or count % said):
            raise MXNetError(
                f"operator {self.name}: {self.variadic} is {said}, but there are {count} inputs"
            )

    def attributes(self, raw: Mapping[str, Any], train: bool = False) -> Attrs:
        """Parsed attributes with defaults filled in; equal ones are the same object."""
        train = train and self.needs_mode
        try:
            key = (train, *raw.items(), *negative_zeros(raw)) if raw else (train,)
            found = self._memo.get(key)
        except TypeError:  # a list among the values
            key = found = None
        if found is None:
            found = self._parse(raw, train)
            if len(self._interned) > _INTERNED_LIMIT:
                self._interned.clear()
                self._memo.clear()
                self._inferred.clear()
            found = self._interned.setdefault(found, found)
            if key is not None:
                self._memo[key] = found
        return found

    def _parse(self, raw: Mapping[str, Any], train: bool) -> Attrs:
        unknown = [k for k in raw if k not in self.attrs]
        if unknown:
            raise MXNetError(
                f"operator {self.name}: unknown attribute {unknown[0]}; "
                f"it has {', '.join(self.attrs) or 'none'}"
            )
        values = {}
        for name, attr in self.attrs.items():
            if name in raw:
                values[name] = attr.parse(self.name, raw[name])
            elif attr.required and not attr.type.optional:
                raise MXNetError(f"operator {self.name}: attribute {name} is required")
            else:
                values[name] = attr.default
        if self.needs_mode:
            values["train"] = train
        return Attrs(values)

    def describe(self, attrs: Attrs) -> dict[str, str]:
        """Attributes as symbol JSON spells them, the engine's own left out."""
        return {k: self.attrs[k].type.show(v) for k, v in attrs.items() if k in self.attrs}

    # ---- inference -------------------------------------------------------------------------------

    def infer_shapes(self, attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        """Complete partial shapes both ways."""
        return self._ask(self._shapes, attrs, ins, outs, show)

    def _shapes(self, attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        if self.complete is not None:
            ins, outs = self.complete(attrs, list(ins), list(outs))
        return self.shape_rule(attrs, list(ins), list(outs))

    def infer_dtypes(self, attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        """Complete partial dtypes both ways."""
        return self._ask(self.dtype_rule, attrs, list(ins), list(outs), str)

    def _ask(self, rule: Rule, attrs: Attrs, ins: list, outs: list, text: Callable) -> tuple:
        try:
            return rule(attrs, ins, outs)
        except FAULTS as error:
            names = self.input_names(attrs, len(ins))
            got = ", ".join(f"{n} {text(s)}" for n, s in zip(names, ins, strict=False))
            raise MXNetError(f"operator {self.name}: {error}; inputs: {got}") from None

    def infer(self, attrs: Attrs, ins: tuple[Spec, ...]) -> tuple[Spec, ...]:
        """Specs of all outputs from complete inputs; MXNetError if they do not fit (memoised)."""
        key = (None if self._alike else attrs, ins)
        found = self._inferred.get(key)
        if found is None:
            found = self._infer(attrs, ins)
            if len(self._inferred) > _INTERNED_LIMIT:
                self._inferred.clear()
            self._inferred[key] = found
        return found

    def _infer(self, attrs: Attrs, ins: tuple[Spec, ...]) -> tuple[Spec, ...]:
        names = self.input_names(attrs, len(ins))
        if len(ins) != len(names):
            raise MXNetError(
                f"operator {self.name}: expects {len(names)} inputs ({', '.join(names)}), "
                f"got {len(ins)}"
            )
        self.check_count(attrs, len(ins))
        count = len(self.output_names(attrs))
        given = [s.shape for s in ins]
        asked, shapes = self.infer_shapes(attrs, given, [None] * count)
        for name, got, want in zip(names, given, asked, strict=True):
            if known(want) and tuple(want) != tuple(got):
                raise MXNetError(
                    f"operator {self.name}: input {name} has shape {show(got)}, "
                    f"expected {show(want)}"
                )
        asked, dtypes = self.infer_dtypes(attrs, [s.dtype for s in ins], [None] * count)
        for name, spec, want in zip(names, ins, asked, strict=True):
            if want is not None and want != spec.dtype:
                raise MXNetError(
                    f"operator {self.name}: input {name} has dtype {spec.dtype}, expected {want}"
                )
        if any(d is None for d in dtypes):
            raise MXNetError(f"operator {self.name}: cannot infer the data type of its output")
        if not all(map(known, shapes)):
            why = (
                "; it depends on values, known only when the operator runs" if self.dynamic else ""
            )
            raise MXNetError(f"operator {self.name}: cannot infer the shape of its output{why}")
        for which, shape in zip(self.output_names(attrs), shapes, strict=True):
            sizes = all(n is not None and n >= 0 for n in shape)
            if not sizes or prod(shape) > _MOST_ELEMENTS:
                raise MXNetError(f"operator {self.name}: {which} would have shape {show(shape)}")
        return tuple(Spec(tuple(s), d) for s, d in zip(shapes, dtypes, strict=True))

    # ---- computing -------------------------------------------------------------------------------

    def kernel_params(self, attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> Any:
        """Numbers that the C++ kernel takes, or None when the body must serve this call."""
        if self.kernel is None:
            return None
        try:
            return self.params(attrs, ins, outs) if self.params else ()
        except FAULTS as error:
            raise MXNetError(f"operator {self.name}: {error}") from None

    def on_device(self) -> Callable[..., Any]:
        """What computes the operator on GPU arrays, called as its body is."""
        if self._on_device is None:
            self._on_device = device_body(self)
        return self._on_device

    def run(self, xp: Any, attrs: Attrs, arrays: Sequence[Any], rng: Any = None) -> tuple:
        """The reference body: all outputs, then the new values of the mutated inputs."""
        extra = {"rng": rng} if self.is_random else {}
        with np.errstate(all="ignore"):  # MXNet computes inf and nan without a word
            try:
                compute = self.body if xp is np else self.on_device()
                result = compute(xp, *arrays, **attrs, **extra)
            except FAULTS as error:
                if str(error).startswith("operator ") or REGISTRY.get(self.name) is not self:
                    raise  # an operator made at run time runs its user's code
                kind = IndexError if isinstance(error, IndexError) else MXNetError
                raise kind(f"operator {self.name}: {error}") from error
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply to whatever the inputs are: arrays compute, graph entries and symbols draw."""
        for value in (*args, *kwargs.values()):
            apply = getattr(value, "_apply", None)
            if apply is not None:
                inputs, raw = self.bind(args, kwargs)
                return apply(self, inputs, raw)
        raise TypeError(f"operator {self.name}: none of its inputs is an NDArray or Symbol")
