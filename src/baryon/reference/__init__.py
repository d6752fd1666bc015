"""The API reference as Markdown pages, from the catalogue and the docstrings.

``python -m baryon.reference FOLDER`` writes an index, one page for each family of operators and one
for each public module. The operators' examples are run, and one that is wrong stops the writing.
"""

from __future__ import annotations

import pathlib

from . import modules, operators
from .text import code


def write(folder: pathlib.Path) -> list[pathlib.Path]:
    """Write all pages under a folder; the files written."""
    pages, index = {}, ["# API reference", "", "## Modules", ""]
    for name in modules.MODULES:
        pages[f"{name}.md"] = modules.page(name)
        index.append(f"- [baryon.{name}]({name}.md)")
    index += ["", "## Operators, by family", ""]
    for family, ops in operators.families().items():
        target = f"operators/{family.rpartition('.')[2]}.md"
        pages[target] = operators.page(family, ops)
        index.append(f"- [{family.rpartition('.')[2]}]({target}): {code(op.name for op in ops)}")
    pages["index.md"] = "\n".join(index) + "\n"
    (folder / "operators").mkdir(parents=True, exist_ok=True)
    for target, text in pages.items():
        (folder / target).write_text(text)
    return [folder / target for target in pages]
