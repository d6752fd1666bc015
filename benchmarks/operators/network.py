"""Layers of networks, forward and backward, sequences, and optimizer updates."""

from __future__ import annotations

from typing import Callable, Dict  # noqa: UP035 (the peers run Python 3.8)

import numpy as np

from .case import BOTH_WAYS, IMAGES, LENGTHS, Case, images, uniform

KERNEL = {"L1": 8, "L2": 16, "large": 64}


def _filters(side: int, grouped: bool = False) -> Callable:
    def make(rng: np.random.RandomState, size: str) -> Dict[str, np.ndarray]:  # noqa: UP006
        channels = KERNEL[size]
        inner = 1 if grouped else channels
        shape = IMAGES[size] if size != "large" else (16, 64, 56, 56)
        return {
            "a": uniform(rng, *shape, low=-1, high=1),
            "w": uniform(rng, channels, inner, side, side, low=-0.1, high=0.1),
        }

    return make


def _channels(rng: np.random.RandomState, shape: tuple) -> np.ndarray:
    return uniform(rng, shape[1])


def _convolution(name: str, side: int, grouped: bool = False, stride: int = 1) -> list:
    def mx(nd: object, a: object, w: object) -> object:
        return nd.Convolution(
            a, w, kernel=(side, side), num_filter=w.shape[0], no_bias=True, stride=(stride,) * 2,
            pad=(side // 2,) * 2, num_group=w.shape[0] if grouped else 1,
        )  # fmt: skip

    def torch(t: object, a: object, w: object) -> object:
        groups = w.shape[0] if grouped else 1
        return t.nn.functional.conv2d(a, w, stride=stride, padding=side // 2, groups=groups)

    arrays = _filters(side, grouped)
    return [
        Case("Convolution", arrays, mx, torch, form=name),
        Case("Convolution", arrays, mx, torch, wrt=("a", "w"), form=name),
    ]


def _pool(kind: str, torch: Callable) -> list:
    def mx(nd: object, a: object) -> object:
        return nd.Pooling(a, kernel=(2, 2), stride=(2, 2), pool_type=kind)

    arrays = images("a")
    return [
        Case("Pooling", arrays, mx, torch, form=kind),
        Case("Pooling", arrays, mx, torch, wrt=("a",), form=kind),
    ]


def _depth_to_space(t: object, a: object) -> object:
    """In MXNet's order of channels, which differs from PyTorch's pixel_shuffle."""
    n, c, h, w = a.shape
    apart = a.view(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2)
    return apart.reshape(n, c // 4, 2 * h, 2 * w)


def _steps(*names: str) -> Callable:
    """Weights, gradients and states of one long parameter."""
    return lambda rng, size: {n: uniform(rng, LENGTHS[size]) for n in names}


def _sgd(t: object, w: object, g: object) -> object:
    return w.add_(g, alpha=-1e-3)


def _momentum(t: object, w: object, g: object, m: object) -> object:
    m.mul_(0.9).add_(g, alpha=-1e-3)
    return w.add_(m)


def _adam(t: object, w: object, g: object, m: object, v: object) -> object:
    t._fused_adam_(
        [w], [g], [m], [v], [], [t.tensor(1.0)], lr=1e-3, beta1=0.9, beta2=0.999, weight_decay=0.0,
        eps=1e-8, amsgrad=False, maximize=False,
    )  # fmt: skip
    return w


def _sequences(rng: np.random.RandomState, size: str) -> dict:
    batch, units = {"L1": (4, 32), "L2": (16, 256), "large": (64, 1024)}[size]
    return {
        "a": uniform(rng, 16, batch, units),
        "n": rng.randint(1, 17, batch).astype(np.float32),
    }


HIDDEN = {"L1": 16, "L2": 64, "large": 512}


def _lstm(rng: np.random.RandomState, size: str) -> dict:
    hidden = HIDDEN[size]
    return {
        "a": uniform(rng, 20, 16, hidden, low=-1, high=1),
        "w": uniform(rng, 8 * hidden * hidden + 8 * hidden, low=-0.1, high=0.1),
        "h": np.zeros((1, 16, hidden), np.float32),
    }


def _run_lstm_mx(nd: object, a: object, w: object, h: object) -> object:
    return nd.RNN(a, w, h, h, state_size=h.shape[2], num_layers=1, mode="lstm")


def _run_lstm_torch(t: object, a: object, w: object, h: object) -> object:
    size = h.shape[2]
    square, bias = 4 * size * size, 4 * size
    parts = t.split(w, [square, square, bias, bias])
    weights = [parts[0].view(-1, size), parts[1].view(-1, size), *parts[2:]]
    return t.lstm(a, (h, h), weights, True, 1, 0.0, False, False, False)[0]


UPDATES = [
    Case("sgd_update", _steps("w", "g"), lambda nd, w, g: nd.sgd_update(w, g, out=w, lr=1e-3),
         _sgd),
    Case("sgd_mom_update", _steps("w", "g", "m"),
         lambda nd, w, g, m: nd.sgd_mom_update(w, g, m, out=w, lr=1e-3, momentum=0.9), _momentum),
    Case("nag_mom_update", _steps("w", "g", "m"),
         lambda nd, w, g, m: nd.nag_mom_update(w, g, m, out=w, lr=1e-3, momentum=0.9)),
    Case("adam_update", _steps("w", "g", "m", "v"),
         lambda nd, w, g, m, v: nd.adam_update(w, g, m, v, out=w, lr=1e-3), _adam, equal=False),
    Case("rmsprop_update", _steps("w", "g", "n"),
         lambda nd, w, g, n: nd.rmsprop_update(w, g, n, out=w, lr=1e-3)),
    Case("ftrl_update", _steps("w", "g", "z", "n"),
         lambda nd, w, g, z, n: nd.ftrl_update(w, g, z, n, out=w, lr=1e-3)),
    Case("signsgd_update", _steps("w", "g"),
         lambda nd, w, g: nd.signsgd_update(w, g, out=w, lr=1e-3)),
    Case("signum_update", _steps("w", "g", "m"),
         lambda nd, w, g, m: nd.signum_update(w, g, m, out=w, lr=1e-3, momentum=0.9)),
]  # fmt: skip
SEQUENCES = [
    Case("SequenceMask", _sequences, lambda nd, a, n: nd.SequenceMask(a, n, True)),
    Case("SequenceReverse", _sequences, lambda nd, a, n: nd.SequenceReverse(a, n, True)),
    Case("SequenceLast", _sequences, lambda nd, a, n: nd.SequenceLast(a, n, True)),
    Case("RNN", _lstm, _run_lstm_mx, _run_lstm_torch, form="lstm"),
]


def _norm(op: str, mx: Callable, torch: Callable, **extra: Callable) -> list:
    """Forward, and both ways."""
    arrays = images("a", **extra)
    return [
        Case(op, arrays, mx, torch, bound=True),
        Case(op, arrays, mx, torch, wrt=("a", "g", "b"), bound=True, traffic=BOTH_WAYS),
    ]


def _groups(rng: np.random.RandomState, shape: tuple) -> np.ndarray:
    return uniform(rng, 4)


def _group_norm(t: object, a: object, g: object, b: object) -> object:
    """With a factor for each group, as in MXNet, rather than for each channel."""
    each = a.shape[1] // 4
    g, b = g.repeat_interleave(each), b.repeat_interleave(each)
    return t.nn.functional.group_norm(a, 4, g, b, eps=1e-5)


NORMS = [
    *_norm("BatchNorm",
           lambda nd, a, g, b, m, v: nd.BatchNorm(a, g, b, m, v, eps=1e-5, fix_gamma=False),
           lambda t, a, g, b, m, v: t.nn.functional.batch_norm(
               a, m, v, g, b, training=a.requires_grad, eps=1e-5),
           g=_channels, b=_channels, m=_channels, v=_channels),
    *_norm("InstanceNorm", lambda nd, a, g, b: nd.InstanceNorm(a, g, b, eps=1e-5),
           lambda t, a, g, b: t.nn.functional.instance_norm(a, weight=g, bias=b, eps=1e-5),
           g=_channels, b=_channels),
    *_norm("GroupNorm", lambda nd, a, g, b: nd.GroupNorm(a, g, b, num_groups=4, eps=1e-5),
           _group_norm, g=_groups, b=_groups),
]  # fmt: skip
CASES = [
    *_convolution("3x3", 3),
    *_convolution("1x1", 1),
    *_convolution("5x5", 5),
    *_convolution("3x3s2", 3, stride=2),
    *_convolution("depthwise", 3, grouped=True),
    *_pool("max", lambda t, a: t.nn.functional.max_pool2d(a, 2)),
    *_pool("avg", lambda t, a: t.nn.functional.avg_pool2d(a, 2)),
    Case("Pad", images("a"), lambda nd, a: nd.pad(a, mode="constant",
                                                  pad_width=(0, 0, 0, 0, 1, 1, 1, 1)),
         lambda t, a: t.nn.functional.pad(a, (1, 1, 1, 1)),
         lambda np, a: np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)))),
    Case("depth_to_space", images("a"), lambda nd, a: nd.depth_to_space(a, 2),
         lambda t, a: _depth_to_space(t, a)),
    Case("Deconvolution", _filters(3),
         lambda nd, a, w: nd.Deconvolution(a, w, kernel=(3, 3), pad=(1, 1), num_filter=w.shape[1]),
         lambda t, a, w: t.nn.functional.conv_transpose2d(a, w, padding=1)),
    Case("Dropout", images("a"), lambda nd, a: nd.Dropout(a, p=0.5, mode="always"),
         lambda t, a: t.nn.functional.dropout(a, 0.5, True), equal=False),
    *SEQUENCES,
    *NORMS,
    *UPDATES,
]  # fmt: skip
