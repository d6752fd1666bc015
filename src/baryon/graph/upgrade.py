"""What symbol files of older versions of MXNet leave out or spell otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from ..ops.attrs import Attrs
from ..ops.op import Op
from .graph import Entry, Node

HIDDEN_KEYS = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage")
ALL_INPUTS = 900  # the first version whose files name every input
INIT_IN_FILES = 904  # the first whose files say how states are initialised


def move_hidden(op: Op, own: dict[str, str], attrs: dict[str, str], inputs: list[Entry]) -> None:
    """Old files keep ``weight_lr_mult`` on the operator: it belongs to the input variable."""
    for key in [k for k in own if k not in op.attrs]:
        for hidden in HIDDEN_KEYS:
            stem = key.removesuffix("_" + hidden)
            if stem != key and stem in op.inputs and op.inputs.index(stem) < len(inputs):
                inputs[op.inputs.index(stem)].node.attrs[f"__{hidden}__"] = own.pop(key)
                del attrs[key]
                break


def change_attributes(op: Op, own: dict[str, str], attrs: dict[str, str], version: int) -> None:
    """Attributes whose meaning changed; and those of operators that have none, which say nothing.

    The latter stay in the file: MXNet reads and writes them.
    """
    if op.upgrade is not None:
        for key, value in op.upgrade(version, dict(own)).items():
            if value is None:
                del own[key], attrs[key]
            else:
                own[key] = attrs[key] = value
    if not op.attrs:
        own.clear()


def missing_inputs(
    op: Op, params: Attrs, name: str, attrs: Mapping[str, str], count: int, version: int
) -> list[Entry]:
    """Variables for inputs that files before 0.9 leave out, made as composing does."""
    names = op.input_names(params) if not op.many else []
    missing = names[count:]
    if version >= ALL_INPUTS and not set(missing) <= set(op.aux):
        return []
    return [own_variable(op, name, n, attrs) for n in missing]


def own_variable(op: Op, name: str, which: str, attrs: Mapping[str, str]) -> Entry:
    """The variable ``name_which`` for an input that nobody gave; it has its node's attributes."""
    if which in op.init:
        attrs = {**attrs, "__init__": op.init[which]}
    return Entry(Node(None, f"{name}_{which}", attrs=attrs))


def set_initializer(op: Op, which: str, node: Node) -> None:
    """Note on a variable how the operator wants this input to begin, unless it says so itself."""
    if node.op is None and which in op.init:
        node.attrs.setdefault("__init__", op.init[which])
