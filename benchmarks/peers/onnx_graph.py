"""A network of `workloads` as an ONNX model: its `symbol` is called with a `Graph` as ``sym``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET, IR = 20, 9
GATES = (0, 3, 1, 2)  # of MXNet's input, forget, cell, output: as ONNX has them


@dataclass(frozen=True)
class Value:
    """What a node gives."""

    graph: Graph
    name: str

    def __add__(self, other: Value) -> Value:
        return self.graph.node("Add", self, other)

    def __mul__(self, factor: float) -> Value:
        return self.graph.node("Mul", self, self.graph.constant(np.float32(factor)))


class Graph:
    """The operators that the networks use, named as in MXNet; weights come from `values`."""

    def __init__(self, values: dict, inputs: tuple[str, ...]) -> None:
        self.values, self.inputs = values, inputs
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}

    def model(self, output: Value) -> onnx.ModelProto:
        """The whole model."""
        given = [
            helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, self.values[n].shape)
            for n in self.inputs
        ]
        told = [helper.make_tensor_value_info(output.name, onnx.TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "net", given, told, list(self.weights.values()))
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=IR)

    def node(self, kind: str, *inputs: Value | None, outputs: int = 1, **attrs: object) -> object:
        """A new node's output, or its outputs."""
        names = [f"{kind}{len(self.nodes)}_{i}" for i in range(outputs)]
        given = [x.name if x is not None else "" for x in inputs]
        self.nodes.append(helper.make_node(kind, given, names, **attrs))
        found = [Value(self, name) for name in names]
        return found if outputs > 1 else found[0]

    def constant(self, value: object, name: str | None = None) -> Value:
        """A weight, by its name where it has one."""
        name = name or f"constant{len(self.weights)}"
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return Value(self, name)

    def parameter(self, name: str) -> Value:
        """A weight of the network."""
        return self.constant(self.values[name], name)

    def var(self, name: str) -> Value:
        """An input or a weight."""
        return Value(self, name) if name in self.inputs else self.parameter(name)

    # ---- images --------------------------------------------------------------------------------

    def Convolution(self, x, kernel, stride, pad, num_filter, num_group, no_bias, name) -> Value:
        names = [f"{name}_weight"] if no_bias else [f"{name}_weight", f"{name}_bias"]
        window = {"kernel_shape": kernel, "strides": stride, "pads": [*pad, *pad]}
        return self.node("Conv", x, *map(self.parameter, names), group=num_group, **window)

    def BatchNorm(self, x, fix_gamma, eps, name) -> Value:
        names = [f"{name}_{n}" for n in ("gamma", "beta", "moving_mean", "moving_var")]
        return self.node("BatchNormalization", x, *map(self.parameter, names), epsilon=eps)

    def Pooling(self, x, pool_type, kernel, stride=(1, 1), pad=(0, 0), global_pool=False) -> Value:
        if global_pool:
            return self.node("GlobalAveragePool", x)
        return self.node("MaxPool", x, kernel_shape=kernel, strides=stride, pads=[*pad, *pad])

    def Flatten(self, x) -> Value:
        return self.node("Flatten", x)

    # ---- elements ------------------------------------------------------------------------------

    def Activation(self, x, act_type) -> Value:
        return self.node(act_type.capitalize(), x)

    def LeakyReLU(self, x, act_type) -> Value:
        return self.node(act_type.capitalize(), x)

    def clip(self, x, a_min, a_max) -> Value:
        bounds = (self.constant(np.float32(b)) for b in (a_min, a_max))
        return self.node("Clip", x, *bounds)

    broadcast_add = staticmethod(Value.__add__)

    # ---- words ---------------------------------------------------------------------------------

    def Embedding(self, x, input_dim, output_dim, name) -> Value:
        index = self.node("Cast", x, to=onnx.TensorProto.INT64)
        return self.node("Gather", self.parameter(f"{name}_weight"), index)

    def FullyConnected(self, x, num_hidden, name, flatten=True) -> Value:
        weight, bias = f"{name}_weight", self.parameter(f"{name}_bias")
        if flatten:
            return self.node("Gemm", x, self.parameter(weight), bias, transB=1)
        return self.node("MatMul", x, self.constant(self.values[weight].T, weight)) + bias

    def LayerNorm(self, x, name, eps=1e-5) -> Value:
        scale, shift = self.parameter(f"{name}_gamma"), self.parameter(f"{name}_beta")
        return self.node("LayerNormalization", x, scale, shift, axis=-1, epsilon=eps)

    def softmax(self, x) -> Value:
        return self.node("Softmax", x, axis=-1)

    def batch_dot(self, a, b, transpose_b=False) -> Value:
        b = self.transpose(b, (0, 2, 1)) if transpose_b else b
        return self.node("MatMul", a, b)

    def transpose(self, x, axes=(1, 0)) -> Value:
        return self.node("Transpose", x, perm=axes)

    def reshape(self, x, shape) -> Value:
        return self.node("Reshape", x, self.constant(np.array(shape, np.int64)))

    def expand_dims(self, x, axis) -> Value:
        return self.node("Unsqueeze", x, self.constant(np.array([axis], np.int64)))

    def split(self, x, num_outputs, axis, squeeze_axis) -> list:
        parts = self.node("Split", x, outputs=num_outputs, axis=axis, num_outputs=num_outputs)
        at = self.constant(np.array([axis], np.int64))
        return [self.node("Squeeze", part, at) for part in parts] if squeeze_axis else parts

    def RNN(self, x, mode, state_size, num_layers, name) -> Value:
        def gates(key: str) -> np.ndarray:
            value = self.values[key]
            return np.concatenate([np.split(value, 4)[gate] for gate in GATES])[None]

        for i in range(num_layers):
            stem = f"{name}{i}"
            weights = [gates(f"{stem}_{part}_weight") for part in ("i2h", "h2h")]
            biases = [gates(f"{stem}_{part}_bias") for part in ("i2h", "h2h")]
            given = map(self.constant, (*weights, np.concatenate(biases, axis=1)))
            y = self.node(mode.upper(), x, *given, outputs=3, hidden_size=state_size)[0]
            x = self.node("Squeeze", y, self.constant(np.array([1], np.int64)))
        return x
