"""The reference pages: everything public is in them, examples ran, links lead somewhere."""

import re
import subprocess
import sys

import pytest

from baryon import reference
from baryon.ops import REGISTRY, get
from baryon.reference import modules, operators
from baryon.reference.text import markdown, run_examples


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    return {p.relative_to(folder).as_posix(): p.read_text() for p in reference.write(folder)}


def test_every_operator_has_a_section_with_its_example(pages):
    found = {}
    for name, text in pages.items():
        if name.startswith("operators/"):
            for part in re.split(r"^## ", text, flags=re.M)[1:]:
                found[part.partition("\n")[0]] = part
    public = {op.name for op in REGISTRY.values() if not op.derived}
    assert set(found) == public
    for name, text in found.items():
        assert "```python\n>>> " in text, name
        for attr in get(name).attrs:
            assert f"| `{attr}` |" in text, (name, attr)


def test_a_section_tells_what_the_catalogue_knows(pages):
    text = pages["operators/norm.md"].split("## BatchNorm\n")[1]
    assert "`nd.BatchNorm`, `sym.BatchNorm`, `npx.batch_norm`" in text
    assert "`gamma` (written by the call)" in text  # by ones, under fix_gamma
    assert "`moving_mean` (auxiliary state, initialized by" in text
    assert "`gamma`, `beta`, `moving_mean`, `moving_var` may be unknown" in text
    assert "- gradient: by `data`, `gamma`, `beta`" in text
    assert "- mode: training and prediction differ" in text
    text = pages["operators/heads.md"].split("## LinearRegressionOutput\n")[1]
    assert "it takes no head gradient" in text.split("\n## ")[0]
    assert "- gradient: none flows" in pages["operators/positions.md"].split("## argmax\n")[1]
    assert "`NDArray.relu`" in pages["operators/unary.md"]


def test_modules_show_their_classes_and_functions(pages):
    assert "## class Dense" in pages["gluon.nn.md"]
    assert "### Dense.hybrid_forward" in pages["gluon.nn.md"]
    assert "## accuracy" not in pages["metric.md"]
    assert "## class Accuracy" in pages["metric.md"]
    assert "## class Block" in pages["gluon.md"] and "## class Block" not in pages["gluon.nn.md"]
    assert "## backward" in pages["autograd.md"]  # of a module that is not public
    assert "## array" in pages["ndarray.md"]
    assert "## relu" not in pages["ndarray.md"]
    assert "## class ndarray" in pages["numpy.md"] and "## transpose" in pages["numpy.md"]
    assert "## allclose" in pages["numpy.md"] and "## qr" in pages["numpy.linalg.md"]
    assert "## class float32" not in pages["numpy.md"]
    for name in modules.MODULES:
        assert "\n## " in pages[f"{name}.md"], name


def test_links_lead_to_pages(pages):
    links = re.findall(r"\]\((.*?)\)", pages["index.md"])
    assert sorted([*links, "index.md"]) == sorted(pages)


def test_a_wrong_or_missing_example_is_an_error(monkeypatch):
    with pytest.raises(ValueError, match="Expected"):
        run_examples(">>> 1 + 1\n3\n", "sum", {})
    relu = get("relu")
    monkeypatch.setattr(relu, "__doc__", "Nothing to show.")
    with pytest.raises(ValueError, match="operator relu has no example"):
        operators.section(relu)


def test_docstrings_become_markdown():
    text = markdown("""What it is.

    first : one thing,
        and more of it.   second, third : others. fourth : (2,), read last.

    Raises
    ------
    ValueError : always.

        table    of    numbers

    >>> for i in range(2):
    ...     print(i)
    0
    1
    """)
    assert text.split("\n\n") == [
        "What it is.",
        "- `first`: one thing,\n  and more of it.\n- `second, third`: others.\n"
        "- `fourth`: (2,), read last.",
        "**Raises**",
        "- `ValueError`: always.",
        "```\ntable    of    numbers\n```",
        "```python\n>>> for i in range(2):\n...     print(i)\n0\n1\n```",
    ]


def test_the_command_wants_a_folder():
    done = subprocess.run(
        [sys.executable, "-m", "baryon.reference"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "usage" in done.stderr
