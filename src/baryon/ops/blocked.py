"""Operators on channel-blocked images, derived from the ones on plain images.

A blocked image is ``(batch, channels / block, *space, block)``: `block` channels of a pixel fill
one vector of the processor. Where they do not divide, the last vector has unused lanes, whose
values mean nothing. `blocked` derives the twin of an operator: the same attributes, inputs,
outputs and meaning, some tensors blocked. The layout pass chooses the twins; no user names them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..native import native
from .attrs import Attrs, Shape
from .op import Op, Spec, op
from .rules import ShapeLike, known
from .samples import Draw, normal

_WIDTHS = {"v4": 16, "v3": 8}  # floats of a vector, by instruction set; others have 4
BLOCK = _WIDTHS.get(native.isa(), 4) if native is not None else 4  # that kernels take here


class Twin(NamedTuple):
    """The blocked form of an operator.

    inputs, outputs : positions of the tensors that are blocked in it.    heavy : it pays to change
    the layout of its tensors; else the twin only serves tensors that are blocked already.
    options : attributes that settings of their names (``BARYON_WINOGRAD``) decide.
    """

    op: Op
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    heavy: bool
    options: tuple[str, ...]


class Whole(NamedTuple):
    """How an operator that moves channels about does the same to whole blocks of them.

    change : ``(attrs, shapes of inputs, shapes of outputs, block)`` -> the attributes that differ
    where all images are blocked, or None if it would cut blocks.
    """

    change: Callable[[Attrs, Sequence[Shape], Sequence[Shape], int], dict[str, Any] | None]
    heavy: bool = False


def blocked_shape(shape: ShapeLike, block: int) -> ShapeLike:
    """``(batch, channels, *space)`` as ``(batch, channels / block, *space, block)``."""
    return (shape[0], -(-shape[1] // block), *shape[2:], block)


def plain_shape(shape: ShapeLike, channels: int = 0) -> ShapeLike:
    """The reverse of `blocked_shape` for that many channels, or 0: all lanes. None stays None."""
    return None if shape is None else (shape[0], channels or shape[1] * shape[-1], *shape[2:-1])


def to_plain(xp: Any, data: Any, channels: int = 0) -> Any:
    """A blocked image as a plain one."""
    plain = xp.moveaxis(data, -1, 2).reshape(plain_shape(data.shape))
    return plain[:, :channels] if channels else plain


def to_blocked(xp: Any, data: Any, block: int) -> Any:
    """A plain image as a blocked one; unused lanes are 0."""
    shape = blocked_shape(data.shape, block)
    unused = shape[1] * block - data.shape[1]
    if unused:
        zeros = xp.zeros((data.shape[0], unused, *data.shape[2:]), data.dtype)
        data = xp.concatenate([data, zeros], axis=1)
    split = data.reshape(*shape[:2], block, *shape[2:-1])
    return xp.ascontiguousarray(xp.moveaxis(split, 2, -1))


def _blocks(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [blocked_shape(ins[0], attrs.block) if known(ins[0]) else outs[0]]


@op("_to_blocked", shape=_blocks, kernel=True, derived=True, rowwise=("data",))
def blocks(xp: Any, data: Any, *, block: int) -> Any:
    """A plain image, ``(batch, channels, *space)``, with `block` channels side by side."""
    return to_blocked(xp, data, block)


@op(
    "_from_blocked",
    shape=lambda a, ins, outs: (ins, [plain_shape(ins[0], a.channels)]),
    kernel=True,
    derived=True,
    rowwise=("data",),
)
def unblocks(xp: Any, data: Any, *, channels: int = 0) -> Any:
    """The reverse of ``_to_blocked`` for an image of so many channels; 0: all lanes are in use."""
    return xp.ascontiguousarray(to_plain(xp, data, channels))


class _Twin:
    """What the twin of an operator does, in terms of the operator."""

    def __init__(
        self, origin: Op, inputs: Sequence[int], outputs: Sequence[int], options: Sequence[str]
    ) -> None:
        self.origin, self.inputs, self.outputs, self.options = origin, inputs, outputs, options

    def _channels(self, attrs: Any) -> tuple[dict[int, int], list[int]]:
        """Channels of the inputs and of the outputs that are blocked, by position; 0: all lanes.

        Inputs that a longer call has added have as many as the first output.
        """
        chosen = [i for i in self.inputs if i not in attrs["plain"]]
        if not attrs["channels"]:
            return dict.fromkeys(chosen, 0), [0] * len(self.outputs)
        given = list(attrs["channels"])
        outs = [given.pop() for _ in self.outputs][::-1]
        return dict(zip(chosen, given + outs[:1] * len(chosen), strict=False)), outs

    def _plain(self, attrs: Any, values: Sequence, change: Callable) -> list:
        """Inputs of the original, those that are blocked changed."""
        channels, _ = self._channels(attrs)
        return [change(v, channels[i]) if i in channels else v for i, v in enumerate(values)]

    def _block(self, values: Sequence, change: Callable) -> list:
        return [change(v) if i in self.outputs else v for i, v in enumerate(values)]

    def body(
        self, xp: Any, *arrays: Any, plain: tuple, channels: tuple, block: int, **attrs: Any
    ) -> tuple:
        """Plain inputs, the original's body, blocked outputs."""
        own = {"plain": plain, "channels": channels}
        ins = self._plain(own, arrays, lambda a, count: to_plain(xp, a, count))
        attrs = {k: v for k, v in attrs.items() if k not in self.options}
        found = self.origin.body(xp, *ins, **attrs)
        found = found if isinstance(found, (tuple, list)) else (found,)
        return tuple(self._block(found, lambda a: to_blocked(xp, a, block)))

    def shapes(self, attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        """Shapes of the outputs from complete shapes of the inputs."""
        if not all(map(known, ins)):
            return ins, outs
        plain = self._plain(attrs, ins, plain_shape)
        _, found = self.origin.infer_shapes(attrs, plain, [None] * len(outs))
        return ins, self._block(found, lambda s: blocked_shape(s, attrs.block))

    def specs(self, attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple[list, list]:
        """Specs of the original's inputs and outputs."""

        def change(spec: Spec, channels: int) -> Spec:
            return spec._replace(shape=plain_shape(spec.shape, channels))

        channels = dict(zip(self.outputs, self._channels(attrs)[1], strict=True))
        made = [change(s, channels[i]) if i in channels else s for i, s in enumerate(outs)]
        return self._plain(attrs, ins, change), made

    def signature(self) -> inspect.Signature:
        """The original's signature, annotations evaluated, and the attributes of twins."""
        body = self.origin.body
        own = [
            p.replace(annotation=eval(p.annotation, body.__globals__))
            if isinstance(p.annotation, str) and p.kind is p.KEYWORD_ONLY
            else p
            for p in inspect.signature(body).parameters.values()
        ]
        more = [("block", int, inspect.Parameter.empty), ("plain", Shape, ())]
        more += [("channels", Shape, ())]
        more += [(name, bool, False) for name in self.options]
        for name, kind, default in more:
            own.append(
                inspect.Parameter(
                    name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default
                )
            )
        return inspect.Signature(own)

    def params(self, attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
        """The original's numbers for the kernel, then the options."""
        ask = self.origin.params
        found = ask(attrs, *self.specs(attrs, ins, outs)) if ask else ()
        return None if found is None else (*found, *(attrs[name] for name in self.options))


def blocked(
    origin: Op,
    inputs: Iterable[str],
    outputs: Iterable[int],
    heavy: bool = False,
    options: Sequence[str] = (),
) -> Op:
    """Declare that `origin` has a kernel for blocked images; the operator that it is (see `Twin`).

    Attributes of the twin: the original's; `block`; `plain`, positions of inputs that are not
    blocked although they could be; `channels` of all blocked inputs and outputs, where some have
    unused lanes; and `options`, booleans for the kernel alone. The kernel is
    named after the twin and takes the original's parameters, then the options.
    """
    positions, outputs = tuple(map(origin.inputs.index, inputs)), tuple(outputs)
    rules = _Twin(origin, positions, outputs, options)

    def body(xp: Any, *arrays: Any, **attrs: Any) -> tuple:
        return rules.body(xp, *arrays, **attrs)

    body.__doc__ = f"`{origin.name}` on channel-blocked images."
    body.__signature__ = rules.signature()  # type: ignore[attr-defined]
    body.__name__ = f"blocked{origin.name}"
    count = origin.flops
    twin = op(
        f"_blocked_{origin.name}",
        shape=rules.shapes,
        dtype=origin.dtype_rule,
        outputs=origin._outputs,
        present=origin.present,
        mutates=origin.mutates,
        inplace=origin._inplace,
        idempotent=origin.idempotent,
        rowwise=origin.rowwise,
        kernel=True,
        derived=True,
        params=rules.params,
        flops=count and (lambda attrs, ins, outs: count(attrs, *rules.specs(attrs, ins, outs))),
    )(body)
    twin.origin = origin
    origin.blocked = Twin(twin, positions, outputs, heavy, tuple(options))
    return twin


def image(block: int, *shape: int) -> Draw:
    """Gaussian values of a plain shape, blocked."""
    return normal(*blocked_shape(shape, block))


blocks.sample(data=normal(2, 2 * BLOCK, 3, 5), block=BLOCK)
unblocks.sample(data=image(BLOCK, 2, 2 * BLOCK, 3, 5))
blocks.sample(data=normal(2, 2 * BLOCK - 1, 3, 5), block=BLOCK)
unblocks.sample(data=image(BLOCK, 2, 2 * BLOCK - 1, 3, 5), channels=2 * BLOCK - 1)
