"""Random symbols beyond NumPy: Bernoulli's distribution, batches of the others."""

from ...numpy_functions import functions as _functions
from ..np_symbol import draw as _draw

globals().update(_functions("npx.random", _draw, __name__))
