"""Writes ``data/*.json`` anew, by the real MXNet 1.9.1: ``python tests/symbol/write_data.py``."""

from __future__ import annotations

import json
from pathlib import Path

import graphs
import mxnet as mx

HERE = Path(__file__).resolve().parent

for name, build in graphs.GRAPHS.items():
    with mx.name.NameManager():
        document = json.loads(build(mx).tojson())
    lines = ",\n".join(json.dumps(node) for node in document.pop("nodes"))
    rest = "".join(f",\n{json.dumps(k)}: {json.dumps(v)}" for k, v in document.items())
    (HERE / "data" / f"{name}.json").write_text(f'{{"nodes": [\n{lines}]{rest}}}\n')
