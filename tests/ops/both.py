"""Running one operator on NumPy arrays, by its reference body and by its native kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

import baryon as mx
from baryon.graph.lower import accepted_params
from baryon.native import native
from baryon.ops import Spec, get


def body(name: str, *arrays: np.ndarray, **attrs: Any) -> list[np.ndarray]:
    """Outputs of the reference body in the inferred dtypes."""
    op = get(name)
    if op.variadic:
        attrs.setdefault(op.variadic, len(arrays))
    parsed = op.attributes(attrs)
    specs = op.infer(parsed, tuple(Spec(a.shape, a.dtype) for a in arrays))
    outs = op.run(np, parsed, arrays)
    return [np.asarray(o).astype(s.dtype) for o, s in zip(outs, specs, strict=True)]


def kernel(name: str, *arrays: np.ndarray, **attrs: Any) -> list[np.ndarray]:
    """Outputs of the native kernel, which has to serve the call; the body's where there is none."""
    if native is None:
        return body(name, *arrays, **attrs)
    op = get(name)
    if op.variadic:
        attrs.setdefault(op.variadic, len(arrays))
    parsed = op.attributes(attrs)
    ins = [Spec(a.shape, a.dtype) for a in arrays]
    specs = op.infer(parsed, tuple(ins))
    numbers = accepted_params(op, parsed, ins, list(specs))
    assert numbers is not None, f"{name} has no kernel for {ins}"
    outs = [np.empty(s.shape, s.dtype) for s in specs]
    native.run_kernel(op.kernel, [np.ascontiguousarray(a) for a in arrays], outs, numbers)
    return outs


def check(name: str, *arrays: np.ndarray, want: Any = None, **attrs: Any) -> np.ndarray:
    """The kernel's first output, after comparing all outputs with the body's (and with `want`)."""
    got, expected = kernel(name, *arrays, **attrs), body(name, *arrays, **attrs)
    for g, e in zip(got, expected, strict=True):
        assert g.dtype == e.dtype
        np.testing.assert_array_equal(g, e, err_msg=f"{name} {attrs}")
    if want is not None:
        np.testing.assert_array_equal(got[0], want, err_msg=f"{name} {attrs}")
    return got[0]


def gradient(name: str, inputs: list[np.ndarray], index: int, head: Any, **attrs: Any) -> Any:
    """The gradient of input `index` for a head gradient of the first output."""
    arrays = [mx.nd.array(a, dtype=a.dtype) for a in inputs]
    arrays[index].attach_grad()
    with mx.autograd.record():
        out = get(name)(*arrays, **attrs)
        out = out[0] if isinstance(out, (list, tuple)) else out
    out.backward(mx.nd.array(head, dtype=out.dtype))
    return arrays[index].grad.asnumpy()
