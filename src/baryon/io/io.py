"""``mxnet.io.io``: the module path by which programs import these."""

from . import *  # noqa: F403
from . import __all__  # noqa: F401
