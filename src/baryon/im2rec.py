"""Lists of image files, and record files of the images in them; MXNet's ``tools/im2rec.py``.

``python -m baryon.im2rec --list --recursive PREFIX ROOT`` writes ``PREFIX.lst``, a line
``id TAB label TAB path`` for each image below ROOT; ``python -m baryon.im2rec PREFIX ROOT`` packs
the images of every ``PREFIX*.lst`` into a ``.rec`` file and its index ``.idx``.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .base import MXNetError
from .files import write_atomically
from .pixels import decode, resize
from .recordio import MXIndexedRecordIO, pack, pack_img

__all__ = ["Entry", "list_images", "main", "read_list", "write_list", "write_records"]

_SEED = 100  # of the shuffle: one folder gives one list
_AHEAD = 64  # images in work for each thread


class Entry(NamedTuple):
    """A line of a list: an image's id, path and labels."""

    id: int
    path: str
    labels: tuple[float, ...]


def list_images(root: Path, recursive: bool, exts: Sequence[str]) -> Iterator[Entry]:
    """The images in a folder, labelled 0, or in all below it, labelled by folder."""
    labels: dict[Path, int] = {}
    count = 0
    for folder, inside, names in os.walk(root, followlinks=True):
        inside.sort()
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in exts:
                path = Path(folder, name)
                label = labels.setdefault(path.parent, len(labels)) if recursive else 0
                yield Entry(count, os.path.relpath(path, root), (float(label),))
                count += 1
        if not recursive:
            return


def write_list(path: Path, entries: Iterable[Entry]) -> None:
    """Write a list of images."""
    lines = ("\t".join([str(e.id), *(f"{x:f}" for x in e.labels), e.path]) for e in entries)
    write_atomically(path, (f"{line}\n".encode() for line in lines))


def read_list(path: Path) -> Iterator[Entry]:
    """The images of a list; MXNetError, naming the line, where it is damaged."""
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            fields = line.strip().split("\t")
            try:
                entry = Entry(int(fields[0]), fields[-1], tuple(map(float, fields[1:-1])))
            except ValueError:
                entry = Entry(0, "", ())
            if not entry.labels:
                raise MXNetError(
                    f"{path}, line {number}: expected 'id TAB label... TAB path', got {line[:80]!r}"
                )
            yield entry


def _write_lists(options: argparse.Namespace) -> None:
    """The list, or the lists that --chunks and the ratios ask for."""
    images = list(list_images(options.root, options.recursive, options.exts))
    if options.shuffle:
        random.Random(_SEED).shuffle(images)
    size = -(-len(images) // options.chunks)
    for i in range(options.chunks):
        chunk = images[i * size : (i + 1) * size]
        suffix = f"_{i}" if options.chunks > 1 else ""
        tested = int(size * options.test_ratio)
        trained = int(size * (options.train_ratio + options.test_ratio))
        if options.train_ratio == 1:
            parts = {"": chunk}
        else:
            parts = {"_test": chunk[:tested], "_train": chunk[tested:trained]}
            parts["_val"] = chunk[trained:]
        for part, entries in parts.items():
            if entries or not part:
                write_list(Path(f"{options.prefix}{suffix}{part}.lst"), entries)


def _packed(entry: Entry, options: argparse.Namespace) -> bytes:
    """The record of an image."""
    content = Path(options.root, entry.path).read_bytes()
    labels = np.array(entry.labels, np.float32) if options.pack_label else entry.labels[0]
    header = (0, labels, entry.id, 0)
    if options.pass_through:
        return pack(header, content)
    pixels = decode(content, options.color, to_rgb=False)
    if options.center_crop:
        side = min(pixels.shape[:2])
        top, left = ((n - side) // 2 for n in pixels.shape[:2])
        pixels = pixels[top : top + side, left : left + side]
    if options.resize:
        height, width = pixels.shape[:2]
        if height > width:
            size = (options.resize, height * options.resize // width)
        else:
            size = (width * options.resize // height, options.resize)
        pixels = resize(pixels, *size)
    return pack_img(header, pixels, options.quality, options.encoding)


def write_records(listed: Path, options: argparse.Namespace) -> tuple[int, int]:
    """Pack the images of a list; how many, and how many could not be packed."""
    paths = [listed.with_suffix(end) for end in (".idx", ".rec")]
    unfinished = [path.with_name(f".{path.name}.tmp") for path in paths]
    try:
        counts = _write(MXIndexedRecordIO(*unfinished, "w"), read_list(listed), options)
        for source, target in zip(unfinished, paths, strict=True):
            source.replace(target)
    finally:
        for path in unfinished:
            path.unlink(missing_ok=True)
    return counts


def _write(
    record: MXIndexedRecordIO, entries: Iterator[Entry], options: argparse.Namespace
) -> tuple[int, int]:
    done = failed = 0
    pending: deque[tuple[Entry, Future]] = deque()
    with ThreadPoolExecutor(options.num_thread) as pool:
        while True:
            for entry in itertools.islice(entries, _AHEAD * options.num_thread - len(pending)):
                pending.append((entry, pool.submit(_packed, entry, options)))
            if not pending:
                break
            entry, task = pending.popleft()
            try:
                record.write_idx(entry.id, task.result())
                done += 1
            except (OSError, MXNetError) as error:
                print(f"left out {entry.path}: {error}", file=sys.stderr)
                failed += 1
    record.close()
    return done, failed


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m baryon.im2rec", description=__doc__)
    parser.add_argument("prefix", help="of the .lst, .rec and .idx files")
    parser.add_argument("root", type=Path, help="folder of the images")
    parser.add_argument("--list", action="store_true", help="write lists, else records")
    lists = parser.add_argument_group("lists")
    lists.add_argument("--exts", nargs="+", default=[".jpeg", ".jpg", ".png"])
    lists.add_argument("--chunks", type=int, default=1, help="write so many lists")
    lists.add_argument("--train-ratio", type=float, default=1.0, help="share of a training list")
    lists.add_argument("--test-ratio", type=float, default=0.0, help="share of a test list")
    lists.add_argument("--recursive", action="store_true", help="and a label for each folder")
    lists.add_argument("--no-shuffle", dest="shuffle", action="store_false")
    records = parser.add_argument_group("records")
    records.add_argument("--pass-through", action="store_true", help="pack files as they are")
    records.add_argument("--resize", type=int, default=0, help="size of the shorter side")
    records.add_argument("--center-crop", action="store_true", help="pack the middle square")
    records.add_argument("--quality", type=int, default=95, help="JPEG 1-100, PNG compression 1-9")
    records.add_argument("--num-thread", type=int, default=1, help="images in work at a time")
    records.add_argument(
        "--color", type=int, default=1, choices=[-1, 0, 1], help="1 colour, 0 grey, -1 as it is"
    )
    records.add_argument("--encoding", default=".jpg", choices=[".jpg", ".png"])
    records.add_argument("--pack-label", action="store_true", help="pack all labels of a line")
    found = parser.parse_args(arguments)
    found.exts = tuple(e.lower() for e in found.exts)
    for name in ("chunks", "num_thread"):
        if getattr(found, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if min(found.train_ratio, found.test_ratio) < 0 or found.train_ratio + found.test_ratio > 1:
        parser.error("--train-ratio and --test-ratio must not be negative or exceed 1 together")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 where an image could not be packed, 2 where there was nothing to do."""
    options = _options(arguments)
    if options.list:
        _write_lists(options)
        return 0
    prefix = Path(options.prefix)
    lists = sorted(prefix.parent.glob(f"{prefix.name}*.lst"))
    if not lists:
        print(f"there is no {options.prefix}*.lst; make one with --list", file=sys.stderr)
        return 2
    left_out = 0
    for listed in lists:
        done, failed = write_records(listed, options)
        left_out += failed
        print(f"{listed.with_suffix('.rec')}: {done} images")
    return int(left_out > 0)


if __name__ == "__main__":
    sys.exit(main())
