"""Images as NumPy arrays (height, width, channels): decode, encode, resize, pad, warp.

OpenCV (``pip install baryon[image]``) does the work where it is installed. Without it Pillow
decodes and encodes, and NumPy does the rest, more slowly. Both are imported only when used, and
both release the interpreter's lock, so that threads decode in parallel.
"""

from ._cv import use_one_thread
from .border import BORDERS, add_border
from .codec import decode, encode, swapped
from .draw import draw_boxes, show
from .resample import resample
from .resize import INTERPOLATIONS, RESIZABLE, resize
from .warp import from_hls, to_hls, warp_affine

__all__ = [
    "BORDERS",
    "INTERPOLATIONS",
    "RESIZABLE",
    "add_border",
    "decode",
    "draw_boxes",
    "encode",
    "from_hls",
    "resample",
    "resize",
    "show",
    "swapped",
    "to_hls",
    "use_one_thread",
    "warp_affine",
]
