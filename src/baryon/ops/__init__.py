"""The catalogue of operators: one file a family, each operator declared once."""

from .op import REGISTRY, Op, Spec, get, op
