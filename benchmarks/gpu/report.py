"""The outcome of a run as Markdown; its JSON says the same."""

from __future__ import annotations

from typing import Any


def _bar(bar: dict[str, Any]) -> str:
    if bar["value"] is None:
        return f"| {bar['text']} | not measured | |"
    return f"| {bar['text']} | {bar['value']:.2f} | {'yes' if bar['reached'] else 'no'} |"


def markdown(run: dict[str, Any]) -> str:
    """Facts, sections, times, bars, and what failing sections said last."""
    lines = ["# A run on a GPU", ""]
    lines += [f"- {name}: {value}" for name, value in run["facts"].items()]
    lines += ["", "| section | outcome | seconds |", "| --- | --- | --- |"]
    for s in run["sections"]:
        lines.append(f"| {s['name']} | {s['outcome']} | {s['took']:.0f} |")
    lines += ["", "| probe | found | seconds |", "| --- | --- | --- |"]
    for s in run["sections"]:
        for name, p in s["probes"].items():
            found = p["found"] if "found" in p else f"**failed**: {p['error']}"
            lines.append(f"| {name} | {found.replace('|', '/')} | {p['took']:.0f} |")
    lines += ["", "| contestant | ms a step | spread | warm-up s |", "| --- | --- | --- | --- |"]
    for s in run["sections"]:
        for name, t in s["times"].items():
            if "seconds" in t:
                numbers = f"{1e3 * t['seconds']:.4g} | {t['spread']:.0%} | {t['warm-up']:.1f}"
                lines.append(f"| {name} | {numbers} |")
            else:
                lines.append(f"| {name} | {t['error']} | | |")
    lines += ["", "| bar | value | reached |", "| --- | --- | --- |"]
    lines += [_bar(bar) for s in run["sections"] for bar in s["bars"]]
    for s in run["sections"]:
        if s["said"]:
            lines += ["", f"## {s['name']} said", "", "```text", s["said"].strip(), "```"]
    return "\n".join(lines) + "\n"
