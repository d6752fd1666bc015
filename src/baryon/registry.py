"""Name registries for families of classes: initializers, metrics, optimizers.

The functions here make the ``register``, ``alias`` and ``create`` of a family, as
``mxnet.registry`` does; programs use them for families of their own.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["get_alias_func", "get_create_func", "get_register_func", "get_registry"]

_REGISTRIES: dict[type, dict[str, type]] = {}


def get_registry(base_class: type) -> dict[str, type]:
    """A copy of the names (lower case) and classes registered under ``base_class``."""
    return dict(_REGISTRIES.get(base_class, {}))


def get_register_func(base_class: type, nickname: str) -> Callable[..., type]:
    """A ``register(klass, name=None)`` for subclasses of ``base_class``."""
    known = _REGISTRIES.setdefault(base_class, {})

    def register(klass: type, name: str | None = None) -> type:
        if not (isinstance(klass, type) and issubclass(klass, base_class)):
            raise AssertionError(f"Can only register subclass of {base_class.__name__}")
        key = (name or klass.__name__).lower()
        if key in known and known[key] is not klass:
            warnings.warn(
                f"New {nickname} {klass.__module__}.{klass.__name__} registered with name {key} "
                f"is overriding existing {nickname} "
                f"{known[key].__module__}.{known[key].__name__}",
                stacklevel=2,
            )
        known[key] = klass
        return klass

    register.__doc__ = f"Register a {nickname} under its class name, or ``name``, lower-cased."
    return register


def get_alias_func(base_class: type, nickname: str) -> Callable[..., Callable[[type], type]]:
    """An ``alias(*names)`` class decorator that registers a class under more names."""
    register = get_register_func(base_class, nickname)

    def alias(*aliases: str) -> Callable[[type], type]:
        def decorate(klass: type) -> type:
            for name in aliases:
                register(klass, name)
            return klass

        return decorate

    alias.__doc__ = f"Register a {nickname} class under further names."
    return alias


def get_create_func(base_class: type, nickname: str) -> Callable[..., Any]:
    """A ``create(spec, *args, **kwargs)`` that makes an instance.

    ``spec`` is an instance (returned as it is), a registered name, or JSON: ``'["name", {...}]'``
    or ``'{"nickname": "name", ...}'``.
    """
    known = _REGISTRIES.setdefault(base_class, {})

    def create(*args: Any, **kwargs: Any) -> Any:
        spec, args = (args[0], args[1:]) if args else (kwargs.pop(nickname, None), ())
        if isinstance(spec, base_class):
            if args or kwargs:
                raise AssertionError(
                    f"{nickname} is already an instance. Additional arguments are invalid"
                )
            return spec
        if isinstance(spec, dict):
            return create(**spec)
        if not isinstance(spec, str):
            raise AssertionError(f"{nickname} must be of string type, got {type(spec).__name__}")
        if spec.startswith("["):
            name, settings = _parse(spec, nickname)
            return create(name, **settings)
        if spec.startswith("{"):
            return create(**_parse(spec, nickname))
        if spec.lower() not in known:
            raise ValueError(
                f"{spec} is not registered. Please register with {nickname}.register first; "
                f"known: {', '.join(sorted(known))}"
            )
        return known[spec.lower()](*args, **kwargs)

    create.__doc__ = f"Make a {nickname} from an instance, a registered name, or its JSON dump."
    return create


def _parse(spec: str, nickname: str) -> Any:
    """The JSON of a dumped instance; ValueError naming the text where it is not that."""
    try:
        value = json.loads(spec)
    except json.JSONDecodeError as error:
        raise ValueError(f"{nickname}: malformed description {spec!r}: {error}") from None
    if isinstance(value, list) and not (
        len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)
    ):
        raise ValueError(f'{nickname}: expected ["name", {{...}}], got {spec!r}')
    return value
