"""Random arrays beyond NumPy: Bernoulli's distribution, batches of the others."""

from ...numpy_functions import NPX_RANDOM as _NPX_RANDOM
from ...numpy_functions import spaces as _spaces
from ..np_ndarray import draw as _draw

globals().update(_spaces.samplers(_NPX_RANDOM, _draw, __name__))
