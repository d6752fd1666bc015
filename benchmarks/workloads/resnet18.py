"""ResNet-18 v1 as the model zoo has it, as a Symbol (He et al., 2015, arXiv:1512.03385)."""

from __future__ import annotations

BATCH, IMAGE, CLASSES = 16, (3, 224, 224), 1000
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
BLOCKS = 2


def _convolution(sym: object, x: object, name: str, filters: int, size: int, stride: int) -> object:
    x = sym.Convolution(
        x,
        kernel=(size, size),
        stride=(stride, stride),
        pad=(size // 2, size // 2),
        num_filter=filters,
        no_bias=True,
        name=f"{name}_conv",
    )
    return sym.BatchNorm(x, fix_gamma=False, name=f"{name}_norm")


def _relu(sym: object, x: object) -> object:
    return sym.Activation(x, act_type="relu")


def _block(sym: object, x: object, name: str, filters: int, stride: int, widens: bool) -> object:
    y = _relu(sym, _convolution(sym, x, f"{name}_1", filters, 3, stride))
    y = _convolution(sym, y, f"{name}_2", filters, 3, 1)
    if widens:
        x = _convolution(sym, x, f"{name}_side", filters, 1, stride)
    return _relu(sym, y + x)


def symbol(sym: object) -> object:
    """The network as a Symbol of the given `sym` module, with a softmax head."""
    x = _relu(sym, _convolution(sym, sym.var("data"), "stem", 64, 7, 2))
    x = sym.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max")
    before = 64
    for stage, (filters, stride) in enumerate(STAGES):
        for i in range(BLOCKS):
            first = i == 0
            widens = first and filters != before
            x = _block(sym, x, f"s{stage}b{i}", filters, stride if first else 1, widens)
        before = filters
    x = sym.Flatten(sym.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="avg"))
    x = sym.FullyConnected(x, num_hidden=CLASSES, name="fc")
    return sym.SoftmaxOutput(x, name="softmax")
