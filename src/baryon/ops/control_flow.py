"""The names of operators that contain graphs: loops, branches and gradients of symbols.

Each stands for as many operators as there are graphs; ``graph/subgraph.py`` makes them.
"""

from __future__ import annotations

from .attrs import Attrs, Shape
from .op import op
from .rules import numbered


def _outputs(attrs: Attrs) -> tuple[str, ...]:
    count = attrs.num_outputs
    return ("output",) if count == 1 else numbered(count)


@op("_foreach", variadic="num_args", outputs=_outputs)
def foreach(
    xp,
    fn,
    *data,
    num_args: int,
    num_outputs: int,
    num_out_data: int,
    in_state_locs: Shape,
    in_data_locs: Shape,
    remain_locs: Shape,
):
    """A graph applied to every slice of arrays; see ``mx.sym.contrib.foreach``.

    Attributes ending in locs say where inputs of the graphs are among those of the operator.

    >>> step = lambda x, total: (x * total, x + total)
    >>> y, total = mx.sym.contrib.foreach(step, mx.sym.var("x"), mx.sym.var("start"))
    >>> x, start = mx.nd.array([1.0, 2.0, 3.0]), mx.nd.array([1.0])
    >>> y.eval(x=x.reshape((3, 1)), start=start)[0].asnumpy()[:, 0]
    array([ 1.,  4., 12.], dtype=float32)
    """
    raise TypeError("_foreach needs a graph")


@op("_while_loop", variadic="num_args", outputs=_outputs)
def while_loop(
    xp,
    cond,
    func,
    *data,
    num_args: int,
    num_outputs: int,
    num_out_data: int,
    max_iterations: int,
    cond_input_locs: Shape,
    func_input_locs: Shape,
    func_var_locs: Shape,
):
    """A graph applied as long as another one says so; see ``mx.sym.contrib.while_loop``.

    Attributes ending in locs say where inputs of the graphs are among those of the operator.
    `max_iterations` bounds the loop.

    >>> _, n = mx.sym.contrib.while_loop(
    ...     lambda n: n < 100, lambda n: ([], n * 3), mx.sym.var("n"), max_iterations=9)
    >>> n.eval(n=mx.nd.array([2.0]))[0].asnumpy()
    array([162.], dtype=float32)
    """
    raise TypeError("_while_loop needs graphs")


@op("_cond", variadic="num_args", outputs=_outputs)
def cond(
    xp,
    cond,
    then_branch,
    else_branch,
    *data,
    num_args: int,
    num_outputs: int,
    cond_input_locs: Shape,
    then_input_locs: Shape,
    else_input_locs: Shape,
):
    """One of two graphs, as a third one says; see ``mx.sym.contrib.cond``.

    Attributes ending in locs say where inputs of the graphs are among those of the operator.

    >>> a = mx.sym.var("a")
    >>> y = mx.sym.contrib.cond(a > 0, lambda: a * 2, lambda: -a)
    >>> y.eval(a=mx.nd.array([3.0]))[0].asnumpy()
    array([6.], dtype=float32)
    """
    raise TypeError("_cond needs graphs")


@op("_gradient", variadic="num_args", outputs=_outputs)
def gradient(xp, graph, *data, num_args: int, num_outputs: int, wrt_locs: Shape):
    """The gradients of a graph, which is a loss, in some of its inputs; see ``Symbol.gradient``.

    >>> w = mx.sym.var("w")
    >>> mx.sym.sum(w**2).gradient(["w"]).eval(w=mx.nd.array([1.0, 3.0]))[0].asnumpy()
    array([2., 6.], dtype=float32)
    """
    raise TypeError("_gradient needs a graph")
