"""Settings from the environment: read, refused, and told of in one page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from baryon import settings

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "settings.md"


def rows():
    """The page's table: what each name is said to be."""
    cells = [line.strip("|").split("|") for line in PAGE.read_text().splitlines()]
    return {c[0].strip(" `"): [x.strip() for x in c[1:]] for c in cells if c[0].startswith(" `")}


def shown(setting):
    """What the page says of a setting: its default, who reads it, and what it does."""
    default = setting.default
    if isinstance(default, bool):
        default = int(default)
    return ["" if default is None else f"`{default}`", setting.reader, setting.doc]


def test_the_page_tells_of_every_setting_and_of_no_other():
    assert rows() == {name: shown(s) for name, s in settings.SETTINGS.items()}


def test_every_variable_that_is_read_is_a_setting():
    code = [*(ROOT / "src").rglob("*.py"), *(ROOT / "csrc").rglob("*.cpp"), ROOT / "setup.py"]
    pattern = re.compile(r"""["']((?:BARYON|MXNET|OMP)_[A-Z_]+)["']""")
    read = {name for path in code for name in pattern.findall(path.read_text())}
    assert read <= settings.SETTINGS.keys()


def test_a_text_that_cannot_be_read_is_refused(monkeypatch):
    monkeypatch.setenv("BARYON_CACHE_BYTES", "plenty")
    with pytest.raises(ValueError, match=r"BARYON_CACHE_BYTES: expected int, got 'plenty'"):
        settings.get("BARYON_CACHE_BYTES")
