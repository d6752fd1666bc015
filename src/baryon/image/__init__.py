"""Images: reading, cropping, augmenting, and iterators over them (``mxnet.image``)."""

from . import detection, image
from .detection import *  # noqa: F403
from .image import *  # noqa: F403
