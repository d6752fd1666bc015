"""Random arrays beyond NumPy: Bernoulli's distribution, batches of the others."""

from ...numpy_functions import NPX_RANDOM, spaces
from ..np_ndarray import draw

globals().update(spaces.samplers(NPX_RANDOM, draw, __name__))
