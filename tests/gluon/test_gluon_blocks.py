"""Blocks: names, children, files, hooks, tables."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import gluon
from baryon.gluon import nn


class Pair(gluon.Block):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.first = nn.Dense(3, in_units=2)
            self.second = nn.Dense(2, in_units=3)

    def forward(self, x):
        return self.second(self.first(x))


def test_names_in_scopes():
    net = Pair(prefix="pair_")
    assert list(net.collect_params()) == [
        "pair_dense0_weight",
        "pair_dense0_bias",
        "pair_dense1_weight",
        "pair_dense1_bias",
    ]
    assert net.name == "pair"
    assert net.first.prefix == "pair_dense0_"
    assert list(net.collect_params(".*weight|.*dense1_bias")) == [
        "pair_dense0_weight",
        "pair_dense1_weight",
        "pair_dense1_bias",
    ]


def test_names_outside_scopes_count_on():
    with mx.name.NameManager():
        assert [Pair().prefix, Pair().prefix] == ["pair0_", "pair1_"]
        layers = [nn.Conv2D(1, 1), nn.MaxPool2D(), nn.Activation("relu"), nn.Conv2DTranspose(1, 1)]
        assert [layer.name for layer in layers] == ["conv0", "pool0", "relu0", "conv1"]


def test_empty_prefix_leaves_children_to_the_outer_scope():
    with mx.name.NameManager():
        net = nn.HybridSequential(prefix="")
        with net.name_scope():
            net.add(nn.Dense(1), nn.Dense(1))
        assert [layer.name for layer in net] == ["dense0", "dense1"]


def test_children_and_repr():
    net = Pair()
    text = "Pair(\n  (first): Dense(2 -> 3, linear)\n  (second): Dense(3 -> 2, linear)\n)"
    assert repr(net) == text
    with pytest.raises(TypeError, match="Changing attribute type for first"):
        net.first = 3
    with pytest.raises(ValueError, match="must also be HybridBlock"):
        nn.HybridSequential().add(net)


def test_unregistered_blocks_are_warned_of():
    net = Pair()
    net.layers = [nn.Dense(2)]
    with pytest.warns(UserWarning, match='"Pair.layers" is an unregistered container'):
        net.collect_params()
    net.layers = [net.first]
    net.collect_params()


def test_parameters_cannot_be_overridden():
    net = nn.Dense(2, in_units=2)
    with pytest.raises(AssertionError, match="Overriding Parameter attribute weight"):
        net.weight = gluon.Parameter("other")


def test_sequential():
    net = nn.Sequential()
    net.add(Pair(), nn.Dense(4))
    assert len(net) == 2 and isinstance(net[0], Pair)
    assert len(net[1:]) == 1 and net[1:][0] is net[1]
    net.initialize()
    assert net(mx.nd.ones((5, 2))).shape == (5, 4)
    hybrid = nn.Sequential()
    hybrid.add(nn.Dense(2))
    with pytest.warns(UserWarning, match="Consider using HybridSequential"):
        hybrid.hybridize()


def test_apply_cast_and_zero_grad():
    net = Pair()
    net.initialize()
    seen = []
    assert net.apply(lambda block: seen.append(block.name)) is net
    assert seen[-1] == net.name and len(seen) == 3
    net.cast("float64")
    x = mx.nd.ones((1, 2), dtype="float64")
    with mx.autograd.record():
        y = net(x)
    y.backward()
    assert y.dtype == np.float64
    assert np.abs(net.first.weight.grad().asnumpy()).sum() > 0
    net.collect_params().zero_grad()
    assert np.abs(net.first.weight.grad().asnumpy()).sum() == 0


def test_batch_norm_stays_float32():
    net = nn.BatchNorm(in_channels=2)
    net.cast("float16")
    assert net.gamma.dtype == "float32"


def test_parameter_files(tmp_path):
    path = str(tmp_path / "net.params")
    net, other = Pair(), Pair()
    net.initialize(mx.init.Normal())
    net.save_parameters(path)
    assert sorted(mx.nd.load(path)) == [
        "first.bias",
        "first.weight",
        "second.bias",
        "second.weight",
    ]
    other.load_parameters(path)
    x = mx.nd.array([[1, 2]])
    np.testing.assert_array_equal(net(x).asnumpy(), other(x).asnumpy())
    with pytest.raises(AssertionError, match="'0.weight' is missing in file"):
        wrong = nn.Sequential()
        wrong.add(nn.Dense(3))
        wrong.load_parameters(path)
    with pytest.raises(ValueError, match="not present in ParameterDict"):
        wrong.load_parameters(path, allow_missing=True)
    wrong.load_parameters(path, allow_missing=True, ignore_extra=True)


def test_parameters_load_under_full_names(tmp_path):
    path = str(tmp_path / "net.params")
    net, other = Pair(prefix="a_"), Pair(prefix="b_")
    net.initialize(mx.init.Normal())
    net.collect_params().save(path, strip_prefix="a_")
    other.load_parameters(path)
    np.testing.assert_array_equal(
        net.first.weight.data().asnumpy(), other.first.weight.data().asnumpy()
    )
    with pytest.warns(UserWarning, match="deprecated"):
        net.save_params(path)
    with pytest.warns(UserWarning, match="deprecated"):
        other.load_params(path)


def test_save_and_load_with_structure(tmp_path):
    prefix = str(tmp_path / "pair")
    net, other = Pair(), Pair()
    net.initialize(mx.init.Normal())
    net.save(prefix)
    other.load(prefix)
    x = mx.nd.array([[1, 2]])
    np.testing.assert_array_equal(net(x).asnumpy(), other(x).asnumpy())
    with pytest.raises(AssertionError, match="children differ"):
        nn.Dense(2).load(prefix)


def test_damaged_parameter_file(tmp_path):
    path = tmp_path / "net.params"
    net = Pair()
    net.initialize()
    net.save_parameters(str(path))
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(mx.MXNetError):
        net.load_parameters(str(path))


def test_hooks():
    net = nn.Dense(2, in_units=2)
    net.initialize()
    seen = []
    before = net.register_forward_pre_hook(lambda block, args: seen.append(("before", len(args))))
    after = net.register_forward_hook(lambda block, args, out: seen.append(("after", out.shape)))
    net(mx.nd.ones((3, 2)))
    assert seen == [("before", 1), ("after", (3, 2))]
    before.detach()
    with after:
        pass
    net(mx.nd.ones((3, 2)))
    assert len(seen) == 2


SUMMARY = """\
--------------------------------------------------------------------------------
        Layer (type)                                Output Shape         Param #
================================================================================
               Input                                      (1, 2)               0
             Dense-1                                      (1, 2)               6
             Dense-2                                      (1, 2)               6
         BatchNorm-3                                      (1, 2)               8
================================================================================
Parameters in forward computation graph, duplicate included
   Total params: 20
   Trainable params: 16
   Non-trainable params: 4
Shared params in forward computation graph: 6
Unique parameters in model: 14
--------------------------------------------------------------------------------
"""


def test_summary(capsys):
    net = nn.HybridSequential()
    first = nn.Dense(2)
    net.add(first, nn.Dense(2, params=first.params), nn.BatchNorm())
    net.initialize()
    net.summary(mx.nd.ones((1, 2)))
    assert capsys.readouterr().out == SUMMARY
    net.hybridize()
    with pytest.raises(AssertionError, match="must not be hybridized"):
        net.summary(mx.nd.ones((1, 2)))


def test_block_without_forward():
    with pytest.raises(NotImplementedError, match="Block defines no forward"):
        gluon.Block()(mx.nd.ones(1))


def test_errors_name_the_block():
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Dense(3, in_units=4))
    net.initialize()
    with pytest.raises(mx.MXNetError, match=r"(?s)net\[0\] .*FullyConnected.*\(2,5\)"):
        net(mx.nd.ones((2, 5)))
    net.hybridize()
    with pytest.raises(mx.MXNetError, match=r"(?s)net_dense0_fwd.*FullyConnected.*\(2,5\)"):
        net(mx.nd.ones((2, 5)))
    with pytest.raises(RuntimeError, match=r"not initialized on context cpu\(1\)"):
        net(mx.nd.ones((2, 4), ctx=mx.cpu(1)))
