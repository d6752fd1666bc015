"""What a first run on a GPU is likeliest to trip over, each in a process of its own.

``python -m benchmarks.gpu.probes NAME [--device cpu]`` prints what it found as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .contestant import use_stand_in

PROBES: dict[str, Callable[..., str]] = {}


def probe(function: Callable[..., str]) -> Callable[..., str]:
    """Declare a probe: called with baryon and CuPy, it says what it found; an error: it failed."""
    PROBES[function.__name__] = function
    return function


def _us(step: Callable[[], object], finish: Callable[[], object], count: int = 200) -> float:
    for _ in range(5):
        step()
    finish()
    begun = time.perf_counter()
    for _ in range(count):
        step()
    finish()
    return (time.perf_counter() - begun) / count * 1e6


def _captured(cupy: Any, work: Callable[[], object]) -> Any:
    """The graph of some work, as programs capture it."""
    from baryon.backend.cuda import capture

    stream, pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
    with capture(stream, pool):
        kept = work()
        graph = stream.end_capture()
    return graph, stream, pool, kept


@probe
def copies(mx: Any, cupy: Any) -> str:
    """Arrays go to the GPU and come back."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert (mx.nd.array(x, ctx=mx.gpu(0)).asnumpy() == x).all()
    return str(mx.context.gpu_memory_info(0))


@probe
def bfloat16(mx: Any, cupy: Any) -> str:
    """CuPy stores bfloat16, converts it, and our kernels read and write it."""
    x = mx.nd.array([1.5, -2.0, 3.25], ctx=mx.gpu(0), dtype="bfloat16")
    y = (x + x).astype("float32").asnumpy()
    assert y.tolist() == [3.0, -4.0, 6.5], y
    z = mx.nd.dot(x.reshape((1, 3)), x.reshape((3, 1))).astype("float32").asnumpy()
    assert z.item() == 16.8125 or abs(z.item() - 16.8125) < 0.1, z
    return f"{x._data.dtype}"


@probe
def by_value(mx: Any, cupy: Any) -> str:
    """Kernels take NumPy arrays, plain and structured, by value."""
    from baryon.cuda import updates

    rates, given = cupy.empty((2, 300), np.float64), np.arange(600.0).reshape(2, 300)
    updates.write(cupy, rates, given, np.dtype(np.float32))
    assert (cupy.asnumpy(rates) == given).all()
    weight, grad = (mx.nd.array([1.0, 2.0], ctx=mx.gpu(0)) for _ in range(2))
    mx.nd.sgd_update(weight, grad, lr=0.5, wd=0.0, out=weight)
    assert weight.asnumpy().tolist() == [0.5, 1.0]
    return "600 numbers and a table of tensors"


@probe
def cublas(mx: Any, cupy: Any) -> str:
    """The cuBLAS that CuPy has loaded is found, and computes in a captured graph."""
    from baryon.cuda import blas, gemm

    major = cupy.cuda.runtime.runtimeGetVersion() // 1000
    found = blas.library(major)
    a, b = (cupy.asarray(np.random.default_rng(i).normal(size=(64, 64)), "f2") for i in (0, 1))
    want = cupy.asnumpy(a).astype("f4") @ cupy.asnumpy(b).astype("f4")
    out = cupy.empty((64, 64), np.float16)
    gemm.product(cupy, a, b, out)
    np.testing.assert_allclose(cupy.asnumpy(out), want, rtol=1e-2, atol=1e-1)
    assert found is not None, f"libcublas.so.{major} is not found: products are not captured"
    out.fill(0)
    graph, *kept = _captured(cupy, lambda: gemm.product(cupy, a, b, out))
    graph.launch()
    np.testing.assert_allclose(cupy.asnumpy(out), want, rtol=1e-2, atol=1e-1)
    del kept
    return f"libcublas.so.{major}, captured and replayed"


@probe
def compiling(mx: Any, cupy: Any) -> str:
    """How long NVRTC takes for kernels that nobody has compiled before."""
    from baryon.cuda.launch import OPTIONS, common_source, own_source
    from baryon.cuda.tensors import settings

    half, single, said = np.dtype(np.float16), np.dtype(np.float32), []
    families = {"layout": {"T": half}, "update": settings(half, single)}
    for family, types in families.items():
        mark = f"// {time.time_ns()}\n"  # not in CuPy's cache
        module = cupy.RawModule(
            code=mark + common_source() + own_source(family, **types), options=OPTIONS
        )
        begun = time.perf_counter()
        if hasattr(module, "compile"):  # the stand-in compiles at a launch
            module.compile()
        said.append(f"{family} {time.perf_counter() - begun:.2f} s")
    return ", ".join(said)


@probe
def graphs(mx: Any, cupy: Any) -> str:
    """A hybridized step with dropout is captured; replays draw new numbers; a launch's cost."""
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(8), mx.gluon.nn.Dropout(0.5))
    net.initialize(ctx=mx.gpu(0))
    net.hybridize()
    x = mx.nd.ones((4, 8), ctx=mx.gpu(0))
    with mx.autograd.train_mode():
        seen = [net(x).asnumpy() for _ in range(6)]
        assert not (seen[-1] == seen[-2]).all(), "a replay draws the numbers of the one before"
        cost = _us(lambda: net(x), mx.nd.waitall)
    return f"{cost:.1f} us a call"


@probe
def steps(mx: Any, cupy: Any) -> str:
    """A whole step of Module.fit as one graph obeys rates that change."""
    x = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=4, name="fc")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(x, name="softmax"), context=mx.gpu(0))
    module.bind([("data", (8, 5))], [("softmax_label", (8,))])
    module.init_params(mx.init.Uniform(0.1))
    module.init_optimizer(optimizer="adam", optimizer_params={"learning_rate": 0.1})
    batch = mx.io.DataBatch([mx.nd.ones((8, 5))], [mx.nd.zeros((8,))])
    for _ in range(4):
        module._train_on(batch)
    before = module.get_params()[0]["fc_weight"].asnumpy()
    module._optimizer.set_learning_rate(0.0)
    module._train_on(batch)
    after = module.get_params()[0]["fc_weight"].asnumpy()
    assert (before == after).all(), "a replay updates by the rate of the capture"
    return f"{_us(lambda: module._train_on(batch), mx.nd.waitall, 100):.1f} us a step"


@probe
def cudnn(mx: Any, cupy: Any) -> str:
    """The front end loads, and plans and runs a convolution, attention and a linear layer."""
    from baryon.cuda import cudnn as own

    lib = own.library()
    assert lib is not None, "the package nvidia-cudnn-frontend is not installed or does not load"
    x, w = (mx.nd.ones(s, ctx=mx.gpu(0), dtype="float16") for s in ((2, 8, 8, 8), (8, 3, 3, 8)))
    how = {"kernel": (3, 3), "num_filter": 8, "no_bias": True, "layout": "NHWC"}
    assert mx.nd.Convolution(x, w, **how).asnumpy().flat[0] == 72
    qkv, ops = mx.sym.var("x"), mx.sym.contrib
    weights = mx.sym.softmax(ops.interleaved_matmul_selfatt_qk(qkv, heads=2))
    out = ops.interleaved_matmul_selfatt_valatt(qkv, weights, heads=2)
    exe = out.simple_bind(mx.gpu(0), x=(16, 2, 48), type_dict={"x": "float16"})
    exe.arg_dict["x"][:] = 1
    for _ in range(3):
        out = exe.forward(is_train=True)[0]
        exe.backward(mx.nd.ones(out.shape, ctx=mx.gpu(0), dtype="float16"))
    np.testing.assert_allclose(out.astype("float32").asnumpy(), 1.0, rtol=1e-2)
    refusal = exe._program(True).on_gpu(0).refusal
    assert refusal is None, refusal
    plans = [*own._plans.values()]
    assert all(plans), f"{plans.count(None)} of {len(plans)} graphs have no engine"
    return f"{len(plans)} plans, cuDNN {getattr(lib, 'backend_version', lambda: 'unknown')()}"


@probe
def calls(mx: Any, cupy: Any) -> str:
    """What an eager call costs, and what of it is CuPy's."""
    x, y = (mx.nd.ones((4, 4), ctx=mx.gpu(0)) for _ in range(2))
    a, b = x._data, y._data
    own = _us(lambda: x + y, mx.nd.waitall)
    return f"x + y {own:.1f} us, cupy {_us(lambda: a + b, mx.nd.waitall):.1f} us"


def main() -> None:
    """Run one, and print what it found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=PROBES)
    parser.add_argument("--device", default="gpu", choices=("gpu", "cpu"))
    chosen = parser.parse_args()
    if chosen.device == "cpu":
        use_stand_in()
    import cupy

    import baryon as mx

    print(json.dumps({"found": PROBES[chosen.name](mx, cupy)}), flush=True)


if __name__ == "__main__":
    main()
