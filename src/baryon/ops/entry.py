"""The catalogue's one kind of entry: `Op`, made by the `@op` decorator and found by `get`.

Everything the rest of the library knows about an operator is stated here, once. See
``docs/architecture.md`` for the meaning of each fact and an example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from . import rules
from .attrs import Attr, Attrs, AttrType, attr_type, negative_zeros
from .device import device_body
from .fusion import NOTHING, Beginning, Fusion
from .parameters import EMPTY, parameters
from .rules import Rule, known, show
from .samples import Draw, Sample
from .storage import Case, Condition, case

FAULTS = (
    MXNetError,
    ArithmeticError,  # an attribute of 0, or one that no array size can be
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
)  # what bad arguments make of rules and bodies, which read as if they were good
_MOST_ELEMENTS = 2**48
_HIDDEN = ("train", "rng")  # keyword-only parameters that the engine passes, not the user
_INTERNED_LIMIT = 4096  # distinct attribute sets kept per operator before the memo starts afresh


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


REGISTRY: dict[str, Op] = {}
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


class Op:
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
        self._on_device: Callable[..., Any] | None = None
        self._memo: dict[Any, Attrs] = {}
        self._interned: dict[Attrs, Attrs] = {}
        self._inferred: dict[Any, tuple[Spec, ...]] = {}

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

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

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

    def check_count(self, attrs: Attrs, count: int) -> None:
        """MXNetError unless the attribute that counts the inputs, or sets of them, divides them."""
        said = attrs[self.variadic] if self.variadic else 1
        if count and (said < 1 or count % said):
            raise MXNetError(
                f"operator {self.name}: {self.variadic} is {said}, but there are {count} inputs"
            )

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
