"""Every operator against calls recorded from MXNet 1.9.1, eagerly and as symbol JSON."""

from __future__ import annotations

import numpy as np
import pytest
from golden_case import Case, arrays, cases
from reference import reference

import baryon as mx

# Recorded on a CPU whose products of bytes saturate at 16 bits, pair by pair (vpmaddubsw); MXNet
# itself gives other numbers where there is VNNI. `test_bytes_*` reproduce the stored ones so.
SATURATED = ("_contrib_quantized_fully_connected.a5fe", "_contrib_quantized_conv.716c")
ALL = list(cases())
CASES = [c for c in ALL if c.spec["id"] not in SATURATED]
EAGER = [c for c in CASES if mx.namespaces.locate(c.op) is not None]
SYMBOLIC = [c for c in CASES if not c.out]


def test_reference_data_is_there():
    reference("golden", "ops", "index.json")
    assert len(CASES) > 800 and len({c.op for c in CASES}) > 200


@pytest.mark.parametrize("case", EAGER, ids=lambda c: c.spec["id"])
def test_eager(case):
    with case.scope():
        case.run_eagerly()


@pytest.mark.parametrize("case", SYMBOLIC, ids=lambda c: c.spec["id"])
def test_symbolic(case):
    with case.scope():
        case.run_symbolically()


def test_known_defects_are_the_documented_ones():
    """Only for these does a gradient differ from MXNet's on purpose; see docs/compatibility.md."""
    reference("golden", "ops", "index.json")
    flagged = [c for c in CASES if "gradient_defect" in c.spec]
    assert all(not c.grads for c in flagged)
    found = {(c.op, *c.attrs.values()) for c in flagged}
    assert found == {("LeakyReLU", "selu"), ("SoftmaxOutput", "True")}


def defective(op: str) -> list[Case]:
    reference("golden", "ops", "index.json")
    return [c for c in CASES if c.op == op and "gradient_defect" in c.spec]


def gradient_of(case: Case) -> np.ndarray:
    """Our gradient of the first input."""
    nds = case.inputs()
    x = nds[case.names[0]]
    x.attach_grad()
    with mx.autograd.record():
        out = getattr(mx.nd, case.op)(*nds.values(), **case.attrs)
    out.backward(case.heads()[0])
    return x.grad.asnumpy()


def stored(case: Case, key: str) -> np.ndarray:
    return arrays(case.spec["file"])[f"{case.spec['id']}/{key}"].astype(np.float64)


def test_gradient_of_selu_where_mxnet_is_wrong():
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    for case in defective("LeakyReLU"):
        x, dy = stored(case, "in.data"), stored(case, "head.0")
        want = dy * np.where(x > 0, scale, scale * alpha * np.exp(x))
        np.testing.assert_allclose(gradient_of(case), want, rtol=1e-4, atol=1e-5)


def test_gradient_of_softmax_output_times_its_head_where_mxnet_is_wrong():
    for case in defective("SoftmaxOutput"):
        x, label, dy = (stored(case, k) for k in ("in.data", "in.label", "head.0"))
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        want = dy * (p - np.eye(x.shape[1])[label.astype(int)])
        np.testing.assert_allclose(gradient_of(case), want, rtol=1e-4, atol=1e-5)


def saturated_pairs(data: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums of products over the last axis as a CPU without VNNI computes them."""
    products = data * weight
    pairs = products[..., 0::2] + products[..., 1::2]
    return np.clip(pairs, -(2**15), 2**15 - 1).sum(-1)


def quantized_case(name: str) -> Case:
    reference("golden", "ops", "index.json")
    return next(c for c in ALL if c.spec["id"] == name)


def bytes_of(case: Case, *names: str) -> list[np.ndarray]:
    return [stored(case, f"in.{n}").astype(int) for n in names]


def ours(case: Case) -> list[np.ndarray]:
    function = getattr(mx.nd.contrib, case.op.removeprefix("_contrib_"))
    return [x.asnumpy() for x in function(*case.inputs().values(), **case.attrs)]


def test_bytes_of_a_fully_connected_layer():
    case = quantized_case(SATURATED[0])
    data, weight, bias = bytes_of(case, "data", "weight", "bias")
    reach = {k: float(stored(case, f"in.max_{k}")[0]) for k in ("data", "weight", "bias")}
    bias = np.trunc(bias * reach["bias"] * 127.5 / (reach["data"] * reach["weight"])).astype(int)
    shifted = saturated_pairs(data[:, None] + 128, weight) - 128 * weight.sum(-1)
    np.testing.assert_array_equal(stored(case, "out.0"), shifted + bias)
    got, *ends = ours(case)
    np.testing.assert_array_equal(got, data @ weight.T + bias)
    np.testing.assert_allclose(ends, [stored(case, "out.1"), stored(case, "out.2")], rtol=1e-6)


def test_bytes_of_a_convolution():
    case = quantized_case(SATURATED[1])
    data, weight = bytes_of(case, "data", "weight")
    framed = np.pad(data, ((0, 0), (0, 0), (1, 1), (1, 1))).transpose(0, 2, 3, 1)
    taps = [framed[:, i : i + 5, j : j + 5, None] for i in range(3) for j in range(3)]
    filters = [weight[:, :, i, j] for i in range(3) for j in range(3)]
    pairs = list(zip(taps, filters, strict=True))
    saturated = sum(saturated_pairs(t, f) for t, f in pairs)
    np.testing.assert_array_equal(stored(case, "out.0"), saturated.transpose(0, 3, 1, 2))
    got, *ends = ours(case)
    exact = sum((t * f).sum(-1) for t, f in pairs)
    np.testing.assert_array_equal(got, exact.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(ends, [stored(case, "out.1"), stored(case, "out.2")], rtol=1e-6)
