"""What is declared of an operator: its signature, rules, gradients and facts.

Everything the rest of the library knows about an operator is stated here, once. See
``docs/architecture.md`` for the meaning of each fact and an example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base import MXNetError
from . import rules
from .attrs import Attr, Attrs, AttrType, attr_type
from .fusion import NOTHING, Beginning, Fusion
from .parameters import EMPTY, parameters
from .rules import Rule
from .samples import Draw, Sample
from .storage import Case, Condition, case

if TYPE_CHECKING:
    from .entry import Op

_HIDDEN = ("train", "rng")  # keyword-only parameters that the engine passes, not the user


class Spec(NamedTuple):
    """What is known of a tensor before it exists."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the dense tensor."""
        return self.size * self.dtype.itemsize


class Gradient(NamedTuple):
    """One gradient rule: the inputs it serves, the function, and the names that it reads."""

    inputs: tuple[str, ...]
    rule: Callable[..., Any]
    reads: tuple[str, ...]


class Pullback(NamedTuple):
    """Gradients of ``sum(head * head_grad)`` with respect to entries, as an expression's value."""

    heads: Sequence[Any]
    head_grads: Sequence[Any]
    wrt: Sequence[Any]


_ANNOTATIONS: dict[tuple[str, str], AttrType] = {}  # (module, annotation text) -> type: texts recur


def _annotated_type(annotation: Any, body: Callable) -> AttrType:
    """The attribute type of an annotation, which may be text (PEP 563)."""
    if not isinstance(annotation, str):
        return attr_type(annotation)
    key = (body.__module__, annotation)  # a name may mean different things in different modules
    found = _ANNOTATIONS.get(key)
    if found is None:
        found = _ANNOTATIONS[key] = attr_type(eval(annotation, body.__globals__))
    return found


class Declared:
    """An operator: body, attributes, rules, gradients and facts (see `op` for the arguments).

    graphs      : symbols that are part of the operator, such as the body of a loop.
    quantized   : its form on 8-bit integers (`ops.quantize.Twin`), where it has one.
    instantiate : for a name that stands for many operators (``Custom``), ``(raw, graphs)`` -> the
                  one that a call with these attributes means; graphs is None for an eager call.
    numpy       : the operator that the same name stands for in files, under numpy shapes.
    replays     : whether a call on a GPU does no more than queue work there, so that it can be
                  captured; not true of operators that run a user's Python.
    moves       : the device that it copies its input to, for copies between devices on a tape.
    again       : ``(inputs, outputs, attrs)`` -> a `Beginning` that gives the first output from the
                  inputs and the other outputs, for less than the call itself takes.
    """

    replays = True
    moves: Any = None

    graphs: tuple[Sequence[Any], ...] = ()
    quantized: Any = None
    instantiate: Callable[[Mapping[str, Any], Sequence[Any] | None], Op] | None = None
    numpy: Op | None = None

    def __init__(self, body: Callable[..., Any], name: str, **facts: Any) -> None:
        self.name = name
        self.body = body
        self.__doc__ = body.__doc__
        self.__name__ = body.__name__
        self.aliases: tuple[str, ...] = tuple(facts["aliases"])
        self._read_signature(facts["variadic"])
        self._named: Callable[[Attrs], Iterable[str]] | None = facts.get("named")
        self.present: Mapping[str, Callable[[Attrs], bool]] = facts["present"]
        self._outputs = facts["outputs"]
        self._visible = facts["visible"]
        self._counted = facts["counted"]
        mutates = facts["mutates"]
        self.mutates: Any = mutates if callable(mutates) else tuple(mutates)
        self.aux: tuple[str, ...] = tuple(facts["aux"] or (() if callable(mutates) else mutates))
        self._inplace: Mapping[int, str] | Callable[[int], str] = facts["inplace"]
        self.view: bool = facts["view"]
        self.dynamic: bool = facts["dynamic"]
        self.host: bool = facts.get("host", False)
        self.pointwise: bool | Callable[[Attrs], bool] = facts["pointwise"]
        self.element: str | Callable[[Attrs], str | None] | None = facts["element"]
        self.blocked: Any = None  # its form on channel-blocked images, see `ops.blocked`
        self.channels_last: Any = None  # how it says that images lie so, see `ops.channels_last`
        self.origin: Op | None = None  # what it is the blocked form of
        self.fusion: Fusion = NOTHING
        self.again: Callable[[Sequence[Any], Sequence[Any], Attrs], Beginning] | None = None
        self.kernel: str | None = name if facts["kernel"] is True else facts["kernel"] or None
        self.params: Callable[..., tuple | None] | None = facts["params"]
        self.init: Mapping[str, str] = facts["init"]
        self.onnx: str | None = facts["onnx"]
        self.derived: bool = facts.get("derived", False) or name.startswith("_backward_")
        self.flops: Callable[..., int] | None = facts["flops"]
        self.idempotent: bool = facts["idempotent"]
        self._rowwise: Sequence[str] | Callable[[Attrs], Sequence[str]] = facts.get("rowwise", ())
        self.joined: Callable[[Attrs, Sequence[Spec]], bool] | None = facts.get("joined")
        self.converts: bool = facts["converts"]
        self.upgrade: Callable[[int, dict[str, str]], dict[str, str | None]] | None = facts[
            "upgrade"
        ]
        self.storage: list[Case] = list(facts["storage"])
        self.stored_as: Callable[[Attrs], str | None] | None = facts["stored_as"]
        self.complete: Rule | None = facts["complete"]
        self.shape_rule: Rule = facts["shape"]
        self.dtype_rule: Rule = facts["dtype"]
        # Whether results follow from the inputs alone, whatever the attributes: an update's rate.
        plain = self.shape_rule is rules.same and self.dtype_rule is rules.uniform
        fixed = not (self.complete or self.many or self.present or callable(self._outputs))
        self._alike = plain and fixed
        # Composite operators made at run time compute straight into given arrays: (ins, outs).
        self.fill: Callable[[Sequence[Any], Sequence[Any]], None] | None = None
        self.gradients: list[Gradient] = []
        self.expressed: Callable[..., Any] | None = None
        self.samples: list[Sample] = []

    def _read_signature(self, variadic: str | None) -> None:
        """Inputs and attributes from the body's signature."""
        self.inputs: tuple[str, ...] = ()
        self.attrs: dict[str, Attr] = {}
        self.optional: set[str] = set()
        self.variadic = variadic
        self.hidden: set[str] = set()
        taken = parameters(self.body)[1:]
        for p in taken:
            if p.name in _HIDDEN:
                self.hidden.add(p.name)
            elif p.keyword_only:
                required = p.default is EMPTY
                kind = _annotated_type(p.annotation, self.body)
                default = None if required or p.default is None else kind.parse(p.default)
                self.attrs[p.name] = Attr(p.name, kind, default, required)
            else:
                self.inputs += (p.name,)
                if p.default is None:
                    self.optional.add(p.name)
        self.many = any(p.many for p in taken)

    def for_graph(self) -> Op:
        """The operator as one node of one compiled graph; an operator with state makes its own."""
        return self

    # ---- facts that depend on attributes ---------------------------------------------------------

    @property
    def needs_mode(self) -> bool:
        """Whether the result depends on train or predict mode."""
        return "train" in self.hidden

    @property
    def is_gradient(self) -> bool:
        """Whether it computes the gradient of another operator."""
        return self.name.startswith("_backward_")

    @property
    def differentiable(self) -> bool:
        """Whether a tape must know of it; a gradient without gradients, to say that it has none."""
        return bool(self.gradients) or self.expressed is not None or self.is_gradient

    @property
    def is_random(self) -> bool:
        """Whether each call draws from the random stream."""
        return "rng" in self.hidden

    def input_names(self, attrs: Attrs, count: int | None = None) -> list[str]:
        """Names of the inputs that a call with these attributes has."""
        if self.many:
            if self._named is not None and (names := list(self._named(attrs))):
                return names
            stem = "arg" if self.inputs in (("data",), ("args",)) else self.inputs[-1]
            count = count if count is not None else attrs[self.variadic] if self.variadic else 0
            return list(rules.numbered(count, stem))
        if not self.present:
            return list(self.inputs)
        return [n for n in self.inputs if n not in self.present or self.present[n](attrs)]

    def output_names(self, attrs: Attrs) -> tuple[str, ...]:
        """Names of all outputs, hidden ones last."""
        if not callable(self._outputs):
            return self._outputs
        try:
            return self._outputs(attrs)
        except MXNetError as error:
            raise MXNetError(f"operator {self.name}: {error}") from None

    def visible(self, attrs: Attrs) -> int:
        """How many outputs a user sees."""
        if self._visible is None:
            return len(self.output_names(attrs))
        return self._visible(attrs) if callable(self._visible) else self._visible

    def counted(self, attrs: Attrs) -> int:
        """How many outputs symbol JSON counts, hidden ones of MXNet's included."""
        return self._counted(attrs) if self._counted else len(self.output_names(attrs))

    def is_pointwise(self, attrs: Attrs) -> bool:
        """Whether elements of the outputs depend on the inputs' elements at their place alone."""
        return self.pointwise(attrs) if callable(self.pointwise) else self.pointwise

    def rowwise(self, attrs: Attrs) -> Sequence[str]:
        """Inputs with a row a sample, on which this sample's row of the first output depends."""
        return self._rowwise(attrs) if callable(self._rowwise) else self._rowwise

    def overwrites(self, index: int) -> str | None:
        """The input whose memory an output may take over, if any."""
        return self._inplace(index) if callable(self._inplace) else self._inplace.get(index)

    def mutated(self, attrs: Attrs) -> tuple[int, ...]:
        """Positions of the inputs that a call writes, in the order of the body's extra results."""
        if callable(self.mutates):
            return tuple(self.mutates(attrs))
        return tuple(map(self.input_names(attrs).index, self.mutates)) if self.mutates else ()

    # ---- storage ---------------------------------------------------------------------------------

    def stored_case(self, attrs: Attrs, stypes: Sequence[str]) -> Case | None:
        """What serves inputs of these storage types; None: the dense body on dense copies."""
        return next((c for c in self.storage if c.fits(self, attrs, stypes)), None)

    def result_stypes(self, attrs: Attrs, stypes: Sequence[str]) -> tuple[str, ...]:
        """Storage types of all outputs for inputs of these storage types."""
        count = len(self.output_names(attrs))
        wanted = self.stored_as(attrs) if self.stored_as is not None else None
        if wanted is not None:
            return (wanted,) * count
        found = self.stored_case(attrs, stypes)
        gives = found.gives if found is not None else ()
        return gives + ("default",) * (count - len(gives))

    def is_stored(self, attrs: Attrs, stypes: Sequence[str]) -> bool:
        """Whether a call has a sparse input or result."""
        if any(s != "default" for s in stypes):
            return True
        if not self.storage and self.stored_as is None:
            return False
        return any(s != "default" for s in self.result_stypes(attrs, stypes))

    # ---- declarations that follow ----------------------------------------------------------------

    def gradient(self, *inputs: str) -> Callable[[Callable], Callable]:
        """Declare the gradient rule of one input, or of several that one rule yields together.

        The rule's parameter names say what it reads: ``dy`` (head gradient of the first output),
        ``d_NAME`` (of output NAME; None where nobody asked), ``dys`` (all, zeros where nobody
        asked), input names, output names (``out``: the first, ``outs``: all), attribute names,
        ``train``. It returns one gradient per declared input, None for "none flows". A rule that
        reads no head gradient belongs to a loss head.
        """

        def declare(rule: Callable) -> Callable:
            self.gradients.append(Gradient(inputs, rule, tuple(p.name for p in parameters(rule))))
            return rule

        return declare

    def expression(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declare the outputs as an expression of other operators, to be differentiated.

        For operators without gradient rules, such as the gradients with kernels of their own. The
        rule is given inputs and attributes by name, and returns one entry for each output (None:
        no gradient flows through it), or a `Pullback` that says whose gradients they are.
        """
        self.expressed = rule
        return rule

    def stored(
        self, *patterns: str, when: Callable[[Attrs], bool] | None = None
    ) -> Callable[[Callable], Callable]:
        """Declare a body for sparse inputs or results, e.g. ``"csr default -> row_sparse"``.

        It is called as the dense one is: ``(xp, *arrays, **attrs)``, with `Csr` and `RowSparse`
        arrays where the pattern says so. See `storage` for the tuples that most operators state.
        """

        def declare(body: Callable) -> Callable:
            def run(op: Op, xp: Any, attrs: Attrs, arrays: Sequence[Any]) -> Any:
                return body(xp, *arrays, **attrs)

            holds: Condition | None = None if when is None else lambda op, attrs: when(attrs)
            self.storage += [case(p, run, holds) for p in patterns]
            return body

        return declare

    def sample(self, **given: Any) -> None:
        """Declare a small call for the tests and docs: inputs as `Draw`s, attributes as values.

        Keywords with a leading underscore set fields of `Sample`, e.g. ``_grad=("data",)``.
        """
        inputs, attrs, fields = {}, {}, {}
        for name, value in given.items():
            if name.startswith("_") and name[1:] in Sample.__dataclass_fields__:
                fields[name[1:]] = value
            elif name in self.inputs:
                inputs[name] = value
            else:
                attrs[name] = value
        for value in inputs.values():
            if not isinstance(value, (Draw, list)):
                raise TypeError(f"operator {self.name}: a sample's inputs are Draws, got {value!r}")
        self.samples.append(Sample(inputs, attrs, **fields))
