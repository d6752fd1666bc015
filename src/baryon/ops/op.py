"""The decorator `@op`, which adds an operator to the catalogue, and `get`, which finds it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..base import MXNetError
from . import rules
from .attrs import Attrs
from .entry import REGISTRY, Gradient, Op, Pullback, Spec
from .rules import Rule
from .storage import Case

__all__ = ["REGISTRY", "Gradient", "Op", "Pullback", "Spec", "get", "op"]


def op(
    name: str,
    *,
    aliases: Iterable[str] = (),
    shape: Rule | Callable[..., Any] = rules.same,
    dtype: Rule | str = rules.uniform,
    complete: Rule | None = None,
    outputs: tuple[str, ...] | Callable[[Attrs], tuple[str, ...]] = ("output",),
    visible: int | Callable[[Attrs], int] | None = None,
    counted: Callable[[Attrs], int] | None = None,
    present: Mapping[str, Callable[[Attrs], bool]] | None = None,
    variadic: str | None = None,
    named: Callable[[Attrs], Iterable[str]] | None = None,
    aux: Iterable[str] = (),
    mutates: Iterable[str] | Callable[[Attrs], Iterable[int]] = (),
    inplace: Mapping[int, str] | Callable[[int], str] | None = None,
    view: bool = False,
    dynamic: bool = False,
    pointwise: bool | Callable[[Attrs], bool] = False,
    element: str | Callable[[Attrs], str | None] | None = None,
    kernel: str | bool = False,
    params: Callable[..., tuple | None] | None = None,
    init: Mapping[str, str] | None = None,
    onnx: str | None = None,
    derived: bool = False,
    flops: Callable[..., int] | None = None,
    idempotent: bool = False,
    converts: bool = False,
    upgrade: Callable[[int, dict[str, str]], dict] | None = None,
    storage: Iterable[Case] = (),
    stored_as: Callable[[Attrs], str | None] | None = None,
    host: bool = False,
    rowwise: Iterable[str] | Callable[[Attrs], Iterable[str]] = (),
    joined: Callable[[Attrs, Any], bool] | None = None,
) -> Callable[[Callable], Op]:
    """Declare an operator whose reference body is the decorated function.

    name, aliases : MXNet's names of the operator.
    shape, dtype  : rules (see `rules`); a dtype may be a name; default: all alike.
    complete      : rule that fills unknown input shapes before `shape` is asked (weights).
    outputs       : names of all outputs, or a function of the attributes.
    visible       : how many of them users see (default: all).
    counted       : how many outputs MXNet's symbol files count, where that is not ours.
    present       : for optional inputs, whether a call with given attributes has them.
    variadic      : the attribute that counts the inputs of a body with ``*data``.
    named         : names of these inputs, for attributes that fix what they are; else empty.
    aux           : inputs that are auxiliary states of a Symbol.
    mutates       : inputs that a call writes, or a function of the attributes that gives their
                    positions; the body returns their new values after its outputs.
    inplace       : output index -> input whose memory it may take over when nobody reads it after
                    (a mapping, or a function for operators with any number of outputs).
    view          : the output is the first input's bytes under another shape.
    dynamic       : the outputs' shapes depend on the inputs' values: graphs run call by call.
    pointwise     : among tensors of one shape, every element of the outputs depends only on the
                    elements of the inputs at its place, by a rule that is the same everywhere
                    (or whether that is so, from the attributes).
    element       : this rule in CUDA C++ for floats (or that of the attributes): an expression of
                    ``a``, ``b``, … for the inputs' elements and of attributes in braces; ``A`` is
                    the type that it is computed in. Longer functions are in ``chain.cuh``.
    kernel        : name of the C++ kernel (True: the operator's own).
    params        : ``(attrs, in_specs, out_specs)`` -> numbers for the kernel, None: not this case.
    init          : ``__init__`` attributes of input variables that a Symbol makes by itself.
    onnx          : the ONNX operator.
    derived       : drawn by gradient rules and passes alone, which know that the inputs fit: users
                    and files cannot name it (true of all names that begin with ``_backward_``).
    flops         : ``(attrs, in_specs, out_specs)`` -> floating-point operations of one call.
    converts      : each output is the input at its place, in another type or not at all changed.
    idempotent    : although it writes inputs, a second call with them writes and gives the same.
    upgrade       : ``(version, attrs)`` -> what to change in the attributes of a symbol file that
                    this version of MXNet wrote (905: 0.9.5); None removes one.
    storage       : what happens with sparse inputs (see `storage`); by default they become dense.
    stored_as     : attributes -> storage type of the result, None where the inputs decide.
    rowwise       : inputs that have a row a sample, as the first output has: each row of this one
                    follows from the same row of these and the other inputs as a whole (or these
                    names, from the attributes); pointwise operators need not say so.
    joined        : ``(attrs, in_specs)`` -> whether the output is the inputs' bytes in a row.
    host          : it runs on the CPU only; with arrays of a GPU it is an error that says so.
    """

    def declare(body: Callable) -> Op:
        made = Op(
            body,
            name,
            aliases=aliases,
            shape=shape,
            dtype=rules.output_dtype(dtype) if isinstance(dtype, str) else dtype,
            complete=complete,
            outputs=outputs,
            visible=visible,
            counted=counted,
            present=present or {},
            variadic=variadic,
            named=named,
            aux=aux,
            mutates=mutates,
            inplace=inplace or {},
            view=view,
            dynamic=dynamic,
            pointwise=pointwise,
            element=element,
            kernel=kernel,
            params=params,
            init=init or {},
            onnx=onnx,
            derived=derived,
            flops=flops,
            idempotent=idempotent,
            converts=converts,
            upgrade=upgrade,
            storage=storage,
            stored_as=stored_as,
            host=host,
            rowwise=rowwise,
            joined=joined,
        )
        for key in (name, *made.aliases):
            if key in REGISTRY:
                raise ValueError(f"operator {key} is declared twice")
            REGISTRY[key] = made
        return made

    return declare


def get(name: str) -> Op:
    """The operator of that name or alias; MXNetError if there is none."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise MXNetError(f"unknown operator {name!r}") from None
