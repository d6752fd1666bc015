"""Networks that classify images.

>>> net = mx.gluon.model_zoo.vision.get_model("mobilenet0.25", classes=10)
>>> net.initialize()
>>> net(mx.nd.zeros((1, 3, 32, 32))).shape
(1, 10)
"""

from __future__ import annotations

from typing import Any

from ...block import HybridBlock
from . import densenet, inception, mobilenet, resnet, squeezenet, vgg
from .alexnet import *  # noqa: F403
from .densenet import *  # noqa: F403
from .inception import *  # noqa: F403
from .mobilenet import *  # noqa: F403
from .resnet import *  # noqa: F403
from .squeezenet import *  # noqa: F403
from .vgg import *  # noqa: F403


def _models() -> dict[str, Any]:
    """Networks by the names that `get_model` takes."""
    found = {"inceptionv3": inception.inception_v3}
    for module in (densenet, mobilenet, resnet, squeezenet, vgg):
        for name in module.__all__:
            if name[0].islower() and not name.startswith("get_"):
                found[_published(name)] = getattr(module, name)
    found["alexnet"] = alexnet  # noqa: F405
    return dict(sorted(found.items()))


def _published(function: str) -> str:
    """The published name of the network that a function builds.

    >>> mx.gluon.model_zoo.vision._published("mobilenet_v2_0_25")
    'mobilenetv2_0.25'
    """
    family, _, version = function.partition("net")
    if family not in ("mobile", "squeeze"):
        return function
    version = version.replace("_v2_", "v2_")
    head, digit, tail = version.rpartition("_")
    return f"{family}net{head}.{tail}"


_MODELS = _models()


def get_model(name: str, **kwargs: Any) -> HybridBlock:
    """A network by name; further arguments are those of the function that builds it.

    ValueError, which lists all names, for an unknown one.

    >>> mx.gluon.model_zoo.vision.get_model("resnet18_v1", classes=10).output
    Dense(512 -> 10, linear)
    """
    build = _MODELS.get(name.lower())
    if build is None:
        options = "\n\t".join(_MODELS)
        raise ValueError(
            f"Model {name.lower()} is not supported. Available options are\n\t{options}"
        )
    return build(**kwargs)
