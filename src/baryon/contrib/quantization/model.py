"""Networks whose layers compute with 8-bit integers, made from trained ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ... import symbol
from ...base import MXNetError
from ...context import Context, cpu
from ...gluon import HybridBlock, SymbolBlock
from ...gluon.data import DataLoader
from ...io import DataBatch, DataDesc, DataIter
from ...ndarray import NDArray, array, contrib, zeros
from ...symbol import Group, Symbol
from ..io import DataLoaderIter
from .calibration import make_collector, ranges_of
from .graph import Quantizer, layers, with_ranges

Params = dict[str, NDArray]
_MODES = ("none", "naive", "entropy", "custom")


def _check(calib_mode: str, dtype: str, mode: str, granularity: str) -> None:
    """ValueError for a choice that there is not."""
    for name, value, choices in (
        ("calib_mode", calib_mode, _MODES),
        ("quantized_dtype", dtype, ("int8", "uint8", "auto")),
        ("quantize_mode", mode, ("full", "smart")),
        ("quantize_granularity", granularity, ("tensor-wise", "channel-wise")),
    ):
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
    if granularity == "channel-wise":
        raise MXNetError("quantize_granularity: only tensor-wise is there; one range a tensor")


def quantize_graph(
    sym: Symbol,
    arg_params: Params,
    aux_params: Params,
    ctx: Context = cpu(0),  # noqa: B008 - MXNet's default
    excluded_sym_names: Sequence[str] | None = None,
    excluded_op_names: Sequence[str] | None = None,
    calib_mode: str = "entropy",
    quantized_dtype: str = "int8",
    quantize_mode: str = "full",
    quantize_granularity: str = "tensor-wise",
    LayerOutputCollector: Any = None,  # noqa: N803 - MXNet's name
    logger: Any = None,
) -> tuple[Symbol, Params, Params, Any]:
    """A graph with quantized operators that are still to be calibrated, and a collector for that.

    Run the float graph on some data with ``collector.collect`` as monitor callback (of all nodes),
    then call `calib_graph`. Arguments are those of `quantize_model`; the collector is
    `LayerOutputCollector` with ``calib_mode="custom"``. `ctx` changes nothing.
    """
    _check(calib_mode, quantized_dtype, quantize_mode, quantize_granularity)
    if calib_mode == "custom" and LayerOutputCollector is None:
        raise ValueError("calib_mode 'custom' needs a LayerOutputCollector")
    names, ops = set(excluded_sym_names or ()), set(excluded_op_names or ())

    def wanted(node: Any) -> bool:
        known = {node.op.name, *node.op.aliases}
        calibrates = calib_mode != "none" or not node.op.quantized.ranged
        return calibrates and node.name not in names and not known & ops

    params = {n for n, x in arg_params.items() if x.dtype == np.float32}
    quantizer = Quantizer(wanted, params, quantized_dtype, quantize_mode == "smart")
    made = type(sym)(quantizer.run(sym._entries))
    collector = LayerOutputCollector
    if calib_mode in ("naive", "entropy"):
        collector = make_collector(calib_mode, quantized_dtype, layers(made._entries))
    if logger:
        logger.info("quantized the graph; calibration mode: %s", calib_mode)
    args = _quantized_params(made, arg_params)
    states = {n: aux_params[n] for n in made.list_auxiliary_states()}
    return made, args, states, collector


def _quantized_params(sym: Symbol, params: Mapping[str, NDArray]) -> Params:
    """Parameters under the names of a quantized graph: some as int8 and the ends of a range."""
    found: Params = {}
    for name in sym.list_arguments():
        stem = name.removesuffix("_min").removesuffix("_max")
        source = stem.removesuffix("_quantize")
        if name in params:
            found[name] = params[name]
        elif stem != source and source in params and name not in found:
            low, high = (array([f(params[source].asnumpy())]) for f in (np.min, np.max))
            triple = contrib.quantize(params[source], low, high, out_type="int8")
            ends = zip(("", "_min", "_max"), triple, strict=True)
            found |= {f"{stem}{end}": x for end, x in ends}
    return found


def calib_graph(
    qsym: Symbol,
    arg_params: Params,
    aux_params: Params,
    collector: Any,
    calib_mode: str = "entropy",
    quantized_dtype: str = "int8",
    logger: Any = logging,
) -> tuple[Symbol, Params, Params]:
    """The graph of `quantize_graph` with the ranges that its collector found, and parameters."""
    _check(calib_mode, quantized_dtype, "full", "tensor-wise")
    if calib_mode != "none":
        ranges = ranges_of(collector, calib_mode, quantized_dtype)
        qsym = type(qsym)(with_ranges(qsym._entries, ranges))
        if logger:
            logger.info("calibrated %d layers", len(ranges))
    return qsym, arg_params, aux_params


# ---- calibration data --------------------------------------------------------------------------


def _batches(data: DataIter, examples: int | None) -> Iterator[DataBatch]:
    """Batches until there are as many examples as wanted."""
    data.reset()
    seen = 0
    for batch in data:
        yield batch
        seen += data.batch_size
        if examples is not None and seen >= examples:
            return


def _collect(
    sym: Symbol,
    params: Mapping[str, NDArray],
    collector: Any,
    wanted: Sequence[str],
    data: DataIter,
    examples: int | None,
    ctx: Context,
) -> int:
    """Show the outputs of these layers for calibration data to a collector; how many examples."""
    internals = sym.get_internals()
    group = Group([internals[name] for name in wanted])
    inputs = [*group.list_arguments(), *group.list_auxiliary_states()]
    seen = 0
    for batch in _batches(data, examples):
        given = dict(zip([d[0] for d in data.provide_data], batch.data, strict=True))
        given = {n: given[n] if n in given else params[n] for n in inputs}
        aux = {n: given.pop(n) for n in group.list_auxiliary_states()}
        outs = group.bind(ctx, given, aux_states=aux, grad_req="null").forward(is_train=False)
        for name, out in zip(wanted, outs, strict=True):
            collector.collect(name, out)
        seen += data.batch_size
    return seen


def quantize_model(
    sym: Symbol,
    arg_params: Params,
    aux_params: Params,
    data_names: Sequence[str] = ("data",),
    label_names: Sequence[str] | None = ("softmax_label",),
    ctx: Context = cpu(0),  # noqa: B008 - MXNet's default
    excluded_sym_names: Sequence[str] | None = None,
    excluded_op_names: Sequence[str] | None = None,
    calib_mode: str = "entropy",
    calib_data: DataIter | None = None,
    num_calib_examples: int | None = None,
    quantized_dtype: str = "int8",
    quantize_mode: str = "smart",
    quantize_granularity: str = "tensor-wise",
    logger: Any = None,
) -> tuple[Symbol, Params, Params]:
    """A trained model as a quantized one: symbol, arguments, auxiliary states.

    calib_mode : how ranges are found. ``none`` by each call itself; ``naive`` the extremes, and
    ``entropy`` the cut that loses least, on `num_calib_examples` (None: all) of `calib_data`.
    excluded_sym_names, excluded_op_names : nodes, and operators, that stay in float32.
    quantized_dtype : int8, uint8, or auto: uint8 for what is never negative. Where a convolution
    reads it is int8. quantize_mode : ``smart`` leaves operators that only move numbers in float32
    where they would be quantized for their own sake. label_names : changes nothing.

    >>> x = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, no_bias=True, name="fc")
    >>> made, args, _ = mx.contrib.quantization.quantize_model(
    ...     x, {"fc_weight": mx.nd.ones((2, 3))}, {}, calib_mode="none")
    >>> made.bind(mx.cpu(), {"data": mx.nd.ones((1, 3)), **args}).forward()[0].asnumpy().round(1)
    array([[3., 3.]], dtype=float32)
    """
    made, args, aux, collector = quantize_graph(
        sym, arg_params, aux_params, ctx, excluded_sym_names, excluded_op_names, calib_mode,
        quantized_dtype, quantize_mode, quantize_granularity, None, logger,
    )  # fmt: skip
    if calib_mode == "none":
        return made, args, aux
    if not isinstance(calib_data, DataIter):
        raise ValueError(f"calib_mode {calib_mode!r} needs calib_data, a DataIter")
    missing = set(data_names) - {d[0] for d in calib_data.provide_data}
    if missing:
        raise ValueError(f"calib_data does not provide {sorted(missing)}")
    wanted, params = list(layers(made._entries)), {**arg_params, **aux_params}
    seen = _collect(sym, params, collector, wanted, calib_data, num_calib_examples, ctx)
    if logger:
        logger.info("collected %d layers on %d examples", len(wanted), seen)
    return calib_graph(made, args, aux, collector, calib_mode, quantized_dtype, logger)


quantize_model_mkldnn = quantize_model  # MXNet's variant for a library that is not needed here


# ---- Gluon -------------------------------------------------------------------------------------


def _as_iter(data: Any, names: Sequence[str]) -> DataIter:
    """Calibration data as an iterator of inputs of these names."""
    if isinstance(data, DataLoader):
        data = DataLoaderIter(data)
    if not isinstance(data, DataIter):
        raise ValueError(f"calib_data must be a DataLoader or DataIter, got {type(data).__name__}")
    descs = data.provide_data
    if len(descs) != len(names):
        raise ValueError(f"calib_data gives {len(descs)} inputs, the network takes {len(names)}")
    data.provide_data = [DataDesc(n, d[1]) for n, d in zip(names, descs, strict=True)]
    return data


def _input_shapes(calib_data: Any, data_shapes: Any) -> list[tuple[int, ...]]:
    if data_shapes is not None:
        shapes = [data_shapes] if isinstance(data_shapes, tuple) else data_shapes
        return [tuple(d[1] if isinstance(d, DataDesc) else d) for d in shapes]
    if isinstance(calib_data, DataLoader):
        calib_data = DataLoaderIter(calib_data)
    if isinstance(calib_data, DataIter):
        return [tuple(d[1]) for d in calib_data.provide_data]
    raise ValueError("data_shapes or calib_data must tell the shapes of the inputs")


def quantize_net_v2(
    network: HybridBlock,
    quantized_dtype: str = "auto",
    quantize_mode: str = "full",
    quantize_granularity: str = "tensor-wise",
    exclude_layers: Sequence[str] | None = None,
    exclude_layers_match: Sequence[str] | None = None,
    exclude_operators: Sequence[str] | None = None,
    calib_data: Any = None,
    data_shapes: Any = None,
    calib_mode: str = "none",
    num_calib_examples: int | None = None,
    ctx: Context = cpu(0),  # noqa: B008 - MXNet's default
    LayerOutputCollector: Any = None,  # noqa: N803 - MXNet's name
    logger: Any = None,
) -> SymbolBlock:
    """A HybridBlock with trained Parameters as a quantized SymbolBlock.

    exclude_layers, exclude_layers_match : names of nodes, and parts of names, that stay in
    float32. exclude_operators : operators that do. calib_data : a DataLoader or DataIter.
    data_shapes : shapes of the inputs, where no data tell. Others: see `quantize_model`; with
    ``calib_mode="custom"``, `LayerOutputCollector` collects.

    >>> net = mx.gluon.nn.Dense(2)
    >>> net.initialize(mx.init.One())
    >>> made = mx.contrib.quantization.quantize_net_v2(net, data_shapes=[(1, 3)])
    >>> made(mx.nd.ones((1, 3))).asnumpy().round(1)
    array([[3., 3.]], dtype=float32)
    """
    if not isinstance(network, HybridBlock):
        raise TypeError(f"network must be a HybridBlock, got {type(network).__name__}")
    shapes = _input_shapes(calib_data, data_shapes)
    network(*(zeros(s, ctx) for s in shapes))  # gives Parameters their shapes
    names = ["data"] if len(shapes) == 1 else [f"data{i}" for i in range(len(shapes))]
    inputs = [symbol.var(n) for n in names]
    outputs = network(*inputs)
    sym = Group(outputs) if isinstance(outputs, (list, tuple)) else outputs
    states = set(sym.list_auxiliary_states())
    params = {n: p._reduce() for n, p in network.collect_params().items()}
    args = {n: params[n] for n in sym.list_arguments() if n in params}
    aux = {n: params[n] for n in states}
    matches = exclude_layers_match or ()
    nodes = {n.name for n in sym._walk() if n.op is not None}
    excluded = {*(exclude_layers or ()), *(n for n in nodes if any(m in n for m in matches))}
    made, qargs, qaux, collector = quantize_graph(
        sym, args, aux, ctx, sorted(excluded), exclude_operators, calib_mode, quantized_dtype,
        quantize_mode, quantize_granularity, LayerOutputCollector, logger,
    )  # fmt: skip
    if calib_mode != "none":
        data = _as_iter(calib_data, names)
        wanted = list(layers(made._entries))
        _collect(sym, {**args, **aux}, collector, wanted, data, num_calib_examples, ctx)
        made, *_ = calib_graph(made, qargs, qaux, collector, calib_mode, quantized_dtype, logger)
    block = SymbolBlock(list(made), inputs)
    for name, param in block.collect_params().items():
        value = qargs[name] if name in qargs else qaux[name]
        param.grad_req = "null"
        param._load_init(value, ctx, cast_dtype=True, dtype_source="saved")
    return block


def quantize_net(
    network: HybridBlock,
    quantized_dtype: str = "auto",
    quantize_mode: str = "full",
    exclude_layers: Sequence[str] | None = None,
    exclude_layers_match: Sequence[str] | None = None,
    exclude_operators: Sequence[str] | None = None,
    calib_data: Any = None,
    data_shapes: Any = None,
    calib_mode: str = "none",
    num_calib_examples: int | None = None,
    ctx: Context = cpu(0),  # noqa: B008 - MXNet's default
    logger: Any = None,
) -> SymbolBlock:
    """`quantize_net_v2` without its newer arguments."""
    return quantize_net_v2(
        network, quantized_dtype, quantize_mode, "tensor-wise", exclude_layers,
        exclude_layers_match, exclude_operators, calib_data, data_shapes, calib_mode,
        num_calib_examples, ctx, None, logger,
    )  # fmt: skip
