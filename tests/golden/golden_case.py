"""The operator cases recorded from MXNet 1.9.1, as objects that run and compare themselves."""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import reference

import baryon as mx
from baryon.ops import REGISTRY


class Case:
    """One recorded call: inputs, outputs, head gradients, gradients, inputs that it changed."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.op: str = spec["op"]
        self.attrs: dict[str, str] = spec["attrs"]
        self.train: bool = spec["mode"] == "train"
        self.names = [i["name"] for i in spec["inputs"]]
        self.grads: dict[str, dict] = {} if "gradient_defect" in spec else spec.get("grads", {})
        self.out: list[str] = spec.get("out_is_input", [])
        self.tolerance = {"rtol": spec["rtol"], "atol": spec["atol"]}

    def value(self, entry: Mapping[str, Any]) -> np.ndarray:
        """The stored value of an entry, of a sparse one all of it."""
        key = entry["key"] if "key" in entry else entry["parts"]["dense"]
        return arrays(self.spec["file"])[key]

    def array(self, entry: Mapping[str, Any]) -> Any:
        """The stored value as an NDArray of its storage type."""
        value = self.value(entry)
        return mx.nd.array(value, dtype=value.dtype).tostype(stype_of(entry))

    def inputs(self) -> dict[str, Any]:
        """Fresh NDArrays by input name."""
        return {i["name"]: self.array(i) for i in self.spec["inputs"]}

    def heads(self) -> dict[int, Any]:
        """Head gradients by output."""
        found = {h["output"]: self.value(h) for h in self.spec.get("head_grads", [])}
        return {k: mx.nd.array(v, dtype=v.dtype) for k, v in found.items()}

    def scope(self) -> AbstractContextManager:
        """NumPy shapes where the case was recorded with them or holds an empty array."""
        empty = any(0 in i["shape"] for i in self.spec["inputs"])
        return mx.util.np_shape(self.spec["numpy_semantics"] or empty)

    # ---- running ---------------------------------------------------------------------------------

    def run_eagerly(self) -> None:
        """Call the function of `mx.nd`, under `record` where gradients were recorded."""
        nds = self.inputs()
        attrs: dict[str, Any] = {k: literal(v) for k, v in self.attrs.items()}
        if self.out:  # update operators write their results over their inputs
            attrs["out"] = [nds[n] for n in self.out] if len(self.out) > 1 else nds[self.out[0]]
        for name, entry in self.grads.items():
            nds[name].attach_grad(stype=stype_of(entry))
        with self._mode():
            made = eager_function(self.op)(*[nds[n] for n in self.names], **attrs)
        outputs = made if isinstance(made, list) else [made]
        self.check_outputs(outputs)
        self.check_mutated("mutated_by_forward", nds)
        if self.grads:
            heads = self.heads()
            mx.autograd.backward([outputs[k] for k in heads], [*heads.values()])
            self.check_grads({n: nds[n].grad for n in self.grads})
            self.check_mutated("mutated_by_backward", nds)

    def _mode(self) -> AbstractContextManager:
        if self.grads:
            return mx.autograd.record(train_mode=self.train)
        return mx.autograd.train_mode() if self.train else mx.autograd.predict_mode()

    def symbol(self) -> Any:
        """The call as a symbol, read from symbol JSON."""
        nodes: list[dict] = [{"op": "null", "name": n, "inputs": []} for n in self.names]
        count = len(nodes)
        inputs = [[k, 0, 0] for k in range(count)]
        nodes.append({"op": self.op, "name": "op0", "inputs": inputs, "attrs": self.attrs})
        document = {
            "nodes": nodes,
            "arg_nodes": [*range(count)],
            "heads": [[count, k, 0] for k in range(len(self.spec["outputs"]))],
            "attrs": {"mxnet_version": ["int", 10901]},
        }
        return mx.sym.load_json(json.dumps(document))

    def run_symbolically(self) -> None:
        """Bind the symbol, run it forward and backward."""
        symbol, nds = self.symbol(), self.inputs()
        aux = {n: nds[n] for n in symbol.list_auxiliary_states()}
        args = {n: nds[n] for n in symbol.list_arguments()}
        grads = {
            n: mx.nd.zeros(nds[n].shape, dtype=nds[n].dtype, stype=stype_of(entry))
            for n, entry in self.grads.items()
        }
        reqs = {n: "write" if n in grads else "null" for n in args}
        exe = symbol.bind(mx.cpu(), args, grads, reqs, aux)
        outputs = exe.forward(is_train=self.train)
        self.check_outputs(outputs)
        self.check_mutated("mutated_by_forward", nds)
        if self.grads and self.train:  # executors differentiate in training mode only
            heads = self.heads()
            exe.backward([heads.get(k, mx.nd.zeros_like(o)) for k, o in enumerate(outputs)])
            self.check_grads(exe.grad_dict)
            self.check_mutated("mutated_by_backward", nds)

    # ---- comparing -------------------------------------------------------------------------------

    def check_outputs(self, outputs: list[Any]) -> None:
        """Every recorded output."""
        assert len(outputs) == len(self.spec["outputs"])
        for k, (entry, got) in enumerate(zip(self.spec["outputs"], outputs, strict=True)):
            self.compare(f"output {k}", got, entry)

    def check_grads(self, grads: Mapping[str, Any]) -> None:
        """Every recorded gradient that is right."""
        for name, entry in self.grads.items():
            self.compare(f"gradient of {name}", grads[name], entry)

    def check_mutated(self, step: str, nds: Mapping[str, Any]) -> None:
        """Inputs that this step changes; what backward changes again is compared after it."""
        later = self.spec.get("mutated_by_backward", {}) if step == "mutated_by_forward" else {}
        for name, entry in self.spec.get(step, {}).items():
            if name not in later:
                self.compare(f"{name}, {step}", nds[name], entry)

    def compare(self, what: str, got: Any, entry: Mapping[str, Any]) -> None:
        """Storage type, shape, dtype and values of one array."""
        assert (what, got.stype) == (what, stype_of(entry))
        got, want = got.asnumpy(), self.value(entry)
        assert (what, got.shape, got.dtype) == (what, want.shape, want.dtype)
        got, want = got.astype(np.float64), want.astype(np.float64)
        np.testing.assert_allclose(got, want, **self.tolerance, err_msg=what, equal_nan=True)


def stype_of(entry: Mapping[str, Any]) -> str:
    """Storage type of an entry."""
    return entry.get("stype", "default")


def literal(text: str) -> Any:
    """An attribute as a Python program passes it."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def eager_function(name: str) -> Callable[..., Any]:
    """The function in `mx.nd` or one of its sub-namespaces."""
    sub, public = mx.namespaces.locate(name)
    return getattr(getattr(mx.nd, sub) if sub else mx.nd, public)


@functools.cache
def arrays(file: str) -> Mapping[str, np.ndarray]:
    """The arrays of one family of cases."""
    with np.load(reference.ROOT / "golden" / file, allow_pickle=False) as stored:
        return dict(stored)


def cases() -> Iterator[Case]:
    """The cases whose operator the catalogue has; none without the reference data."""
    index = reference.ROOT / "golden" / "ops" / "index.json"
    if index.exists():
        for spec in json.loads(index.read_text())["case_list"]:
            if spec["op"] in REGISTRY:
                yield Case(spec)
