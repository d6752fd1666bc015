"""Networks that MXNet 1.9.1 trained and saved: loaded, used, and trained on.

`--reference` names a folder with MXNet's files and what it computed from them (its
`golden/models`). Without one, the script writes a checkpoint itself and reads that.

    python examples/symbolic/load_mxnet_checkpoint.py [--reference FOLDER] [--tiny]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

import baryon as mx
from baryon import sym


def load(prefix: Path, epoch: int, data: dict, label: dict) -> mx.mod.Module:
    """A module from checkpoint files, bound for its inputs' shapes."""
    module = mx.mod.Module.load(str(prefix), epoch, data_names=list(data), label_names=list(label))
    shapes = [(n, tuple(s)) for n, s in data.items()], [(n, tuple(s)) for n, s in label.items()]
    module.bind(*shapes)
    return module


def compare(folder: Path, name: str, info: dict) -> float:
    """Largest relative difference between our outputs and those that MXNet stored."""
    arrays = np.load(folder / name / "io.npz")
    module = load(folder / name / name, 1, info["data"], info["label"])
    data = [mx.nd.array(arrays[f"batch0/{n}"]) for n in info["data"]]
    module.forward(mx.io.DataBatch(data), is_train=False)
    worst = 0.0
    for i, found in enumerate(module.get_outputs()):
        want = arrays[f"predict_batch0/{i}"]
        worst = max(worst, float(np.abs(found.asnumpy() - want).max() / np.abs(want).max()))
    return worst


def own_checkpoint(folder: Path) -> float:
    """Write a checkpoint and read it again: the largest difference of the outputs."""
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=3, name="fc")
    module = mx.mod.Module(sym.SoftmaxOutput(net, name="softmax"))
    data, label = {"data": (4, 5)}, {"softmax_label": (4,)}
    module.bind(list(data.items()), list(label.items()))
    module.init_params(mx.init.Xavier())
    module.save_checkpoint(str(folder / "net"), 1)
    batch = mx.io.DataBatch([mx.nd.random.normal(shape=(4, 5))])
    outs = []
    for m in (module, load(folder / "net", 1, data, label)):
        m.forward(batch, is_train=False)
        outs.append(m.get_outputs()[0].asnumpy())
    return float(np.abs(outs[0] - outs[1]).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, default=os.environ.get("BARYON_REFERENCE"))
    parser.add_argument("--tiny", action="store_true", help="nothing is large here anyway")
    options = parser.parse_args()
    found = {}
    models = options.reference and Path(options.reference) / "golden" / "models"
    if models and models.exists():
        index = json.loads((models / "index.json").read_text())["models"]
        modules = {n: info for n, info in index.items() if info["kind"] == "module"}
        found = {name: compare(models, name, info) for name, info in modules.items()}
    else:
        print("no reference folder: reading a checkpoint of our own")
        with tempfile.TemporaryDirectory() as folder:
            found["net"] = own_checkpoint(Path(folder))
    for name, worst in found.items():
        print(f"{name}: outputs within {worst:.1e} of those stored")
    if max(found.values()) > 1e-5:
        raise SystemExit("outputs differ from those stored")


if __name__ == "__main__":
    main()
