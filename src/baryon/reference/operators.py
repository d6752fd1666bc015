"""One page a family of operators: all that the catalogue says of each, and its example, run."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

import baryon as mx

from ..base import MXNetError
from ..namespaces import METHODS, locate, signature
from ..ops.attrs import Attrs
from ..ops.op import REGISTRY, Gradient, Op
from ..ops.rules import known
from ..ops.samples import Sample
from .text import code, fence, markdown, run_examples, table

_NUMPY = {
    "_npx__image_": ("npx.image",),
    "_npx_": ("npx", "npx.random"),
    "_npi_": ("np", "np.linalg", "np.random"),
    "_np_": ("np",),
}


def families() -> dict[str, list[Op]]:
    """The operators that users and files can name, by the module that holds their bodies."""
    found: dict[str, list[Op]] = {}
    for op in dict.fromkeys(REGISTRY.values()):
        if not op.derived:
            found.setdefault(op.body.__module__, []).append(op)
    return dict(sorted(found.items()))


def page(family: str, ops: list[Op]) -> str:
    """The page of a family; ValueError if an operator's example is absent or wrong."""
    title = family.rpartition(".")[2].replace("_", " ")
    intro = markdown(sys.modules[family].__doc__ or "")
    return "\n\n".join([f"# Operators: {title}", intro, *map(section, ops)]) + "\n"


def section(op: Op) -> str:
    """All that there is to say of an operator."""
    if not run_examples(op.__doc__ or "", op.name, {"mx": mx, "np": np}):
        raise ValueError(f"operator {op.name} has no example")
    parts = [f"## {op.name}", f"Called {code(public_names(op)) or 'in symbol files only'}."]
    parts += [fence(_call(op), "python"), markdown(op.__doc__)]
    if op.attrs:
        parts.append(table(("attribute", "type", "default"), _attributes(op)))
    parts.append("\n".join(f"- {name}: {what}" for name, what in _facts(op)))
    return "\n\n".join(parts)


def public_names(op: Op) -> Iterator[str]:
    """Where users find an operator: functions of arrays and symbols, a method, the NumPy names."""
    for name in (op.name, *op.aliases):
        place = locate(name)
        if place is not None:
            path = ".".join(filter(None, place))
            yield from (f"nd.{path}", f"sym.{path}")
        for prefix in (p for p in _NUMPY if name.startswith(p)):
            public = name[len(prefix) :]
            yield from (f"{s}.{public}" for s in _NUMPY[prefix] if _offers(s, public))
            break
    yield from (f"NDArray.{m}" for m in METHODS if REGISTRY.get(m) is op)


def _offers(space: str, name: str) -> bool:
    found = mx
    for part in (*space.split("."), name):
        found = getattr(found, part, None)
    return found is not None


def _call(op: Op) -> str:
    """How it is called, dtypes by name, without what all functions of a front end take."""
    found = signature(op, mx.nd.FRONT)
    parameters = [
        p.replace(default=p.default.name) if isinstance(p.default, np.dtype) else p
        for p in found.parameters.values()
        if p.name not in mx.nd.FRONT.options
    ]
    return f"{op.name}{found.replace(parameters=parameters)}"


def _attributes(op: Op) -> Iterator[tuple[str, str, str]]:
    for attr in op.attrs.values():
        shown = "None" if attr.default is None else attr.type.show(attr.default) or "''"
        yield f"`{attr.name}`", f"`{attr.type.name}`", "required" if attr.required else f"`{shown}`"


# ---- facts ---------------------------------------------------------------------------------------


def _facts(op: Op) -> Iterator[tuple[str, str]]:
    yield "inputs", "; ".join(_inputs(op)) or "none"
    yield "outputs", _outputs(op)
    completed = list(_completed(op))
    if completed:
        yield "shapes", f"{code(completed)} may be unknown: a symbol infers them from the first"
    if op.dynamic:
        yield "shapes", "those of the outputs depend on values, and graphs run call by call"
    yield "gradient", _gradient(op)
    ours = f"C++ kernel `{op.kernel}`, else" if op.kernel else "always"
    yield "computed by", f"{ours} the NumPy or CuPy body"
    if op.view:
        yield "memory", "the output is the first input's, under another shape"
    if op.storage:
        cases = (f"{' '.join(c.takes)} -> {' '.join(c.gives)}" for c in op.storage)
        yield "sparse", f"{code(dict.fromkeys(cases))}; other sparse inputs become dense"
    if op.stored_as is not None:
        yield "sparse", "attributes say how the result is stored"
    if op.is_random:
        yield "random", "every call draws from the stream that `mx.random.seed` starts"
    if op.needs_mode:
        yield "mode", "training and prediction differ"
    if op.onnx:
        yield "ONNX", f"`{op.onnx}`"
    yield "names in symbol files", code((op.name, *op.aliases))


def _inputs(op: Op) -> Iterator[str]:
    if op.many:
        counted = f", counted by `{op.variadic}`" if op.variadic else ""
        writes = "; the call writes some of them" if op.mutates else ""
        yield f"`*{op.inputs[-1]}`, any number{counted}{writes}"
        return
    written = {name for sample in op.samples for name in _written(op, sample)}
    for name in op.inputs:
        notes = ["optional"] if name in op.optional else []
        notes += ["only with some attributes"] if name in op.present else []
        notes += ["auxiliary state"] if name in op.aux else []
        notes += ["written by the call"] if name in written else []
        notes += [f"initialized by `{op.init[name]}`"] if name in op.init else []
        yield f"`{name}`" + (f" ({', '.join(notes)})" if notes else "")


def _outputs(op: Op) -> str:
    if not callable(op._outputs) and not callable(op._visible):
        names, visible = op.output_names(Attrs()), op.visible(Attrs())
        hidden = f"; hidden: {code(names[visible:])}" if names[visible:] else ""
        return (code(names[:visible]) or "none") + hidden
    return "as attributes say" + (f", for example {code(_example_outputs(op))}")


def _written(op: Op, sample: Sample) -> Iterator[str]:
    """Inputs that the call of a sample writes."""
    attrs = _sample_attrs(op, sample)
    names = op.input_names(attrs)
    yield from (names[i] for i in op.mutated(attrs))


def _sample_attrs(op: Op, sample: Sample) -> Attrs:
    """Attributes of a sample's call."""
    raw = dict(sample.attrs)
    if op.variadic:
        drawn = sample.inputs[op.inputs[-1]]
        raw.setdefault(op.variadic, len(drawn) if isinstance(drawn, list) else 1)
    return op.attributes(raw, sample.train)


def _example_outputs(op: Op) -> tuple[str, ...]:
    if not op.samples:
        return ("output",)
    attrs = _sample_attrs(op, op.samples[0])
    return op.output_names(attrs)[: op.visible(attrs)]


def _completed(op: Op) -> Iterator[str]:
    """Inputs whose shapes follow from the first one's, tried on the first sample."""
    if op.many or not op.samples or len(op.samples[0].inputs) < 2:
        return
    attrs = _sample_attrs(op, op.samples[0])
    names = op.input_names(attrs)
    ins = [op.samples[0].inputs[names[0]].shape, *[None] * (len(names) - 1)]
    try:
        asked, _ = op.infer_shapes(attrs, ins, [None] * len(op.output_names(attrs)))
    except MXNetError:
        return
    yield from (n for n, s in zip(names[1:], asked[1:], strict=True) if known(s))


def _gradient(op: Op) -> str:
    rules = [g for g in op.gradients if not _is_flat(g)]
    if not rules:
        return "none flows"
    by = dict.fromkeys(name for g in rules for name in g.inputs)
    reads = {r for g in rules for r in g.reads}
    heads = any(r in ("dy", "dys") or r.startswith("d_") for r in reads)
    return f"by {code(by)}" + ("" if heads else "; a loss: it takes no head gradient")


def _is_flat(gradient: Gradient) -> bool:
    """Whether a rule only says that no gradient flows: it makes nothing of any head gradient."""
    if gradient.reads != ("dy",):
        return False
    try:
        return gradient.rule(dy=object()) is None
    except (TypeError, AttributeError):  # it computes with the head gradient
        return False
