"""Docstrings as Markdown, and their examples run."""

from __future__ import annotations

import doctest
import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

_PARSER = doctest.DocTestParser()
_TERM = re.compile(r"(\*{0,2}\w+(?:, \w+)*) +: +(?=\S)")  # "name, other : what they are"
_COLUMN = re.compile(rf"(?: {{3,}}|(?<=\.) )(?={_TERM.pattern})")  # one more on the same line
_RULE = re.compile(r"-{3,}")


def run_examples(doc: str, name: str, globs: dict[str, Any]) -> int:
    """Run the ``>>>`` examples of a docstring; how many statements, ValueError if one is wrong."""
    test = _PARSER.get_doctest(doc, dict(globs), name, None, 0)
    report: list[str] = []
    failed, tried = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    if failed:
        raise ValueError("".join(report))
    return tried


def fence(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def markdown(doc: str) -> str:
    """A docstring as Markdown: examples and tables as code, lists of parameters as lists."""
    return "\n\n".join(_blocks(inspect.cleandoc(doc)))


def _blocks(doc: str) -> Iterator[str]:
    session = ""
    for part in _PARSER.parse(doc):
        if isinstance(part, doctest.Example):
            session += _prompts(part.source) + part.want
        elif part.strip():
            if session:
                yield fence(session, "python")
            session = ""
            yield from map(_paragraph, re.split(r"\n[ \t]*\n", part.strip("\n")))
    if session:
        yield fence(session, "python")


def _prompts(source: str) -> str:
    first, *rest = source.rstrip("\n").split("\n")
    return "\n".join([f">>> {first}", *(f"... {line}".rstrip() for line in rest)]) + "\n"


def _paragraph(text: str) -> str:
    lines = _COLUMN.sub("\n", text.rstrip()).split("\n")
    if len(lines) > 1 and _RULE.fullmatch(lines[1].strip()):  # a heading, underlined
        rest = "\n".join(lines[2:])
        return f"**{lines[0].strip()}**" + (f"\n\n{_paragraph(rest)}" if rest else "")
    if _TERM.match(lines[0]):
        return "\n".join(_definitions(lines))
    tabular = not lines[0].startswith("- ") and any(
        re.search(r"^  |\S {3,}\S", line) for line in lines
    )
    return fence(inspect.cleandoc("\n" + text)) if tabular else text


def _definitions(lines: Iterable[str]) -> Iterator[str]:
    """``name : text`` with lines that go on below, as a list."""
    for line in lines:
        term = _TERM.match(line)
        if term:
            yield f"- `{term[1]}`: {line[term.end() :]}"
        else:
            yield f"  {line.strip()}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def code(names: Iterable[str]) -> str:
    """Names, each as code, with commas between."""
    return ", ".join(f"`{n}`" for n in names)
