"""``python -m baryon.reference FOLDER`` writes the pages there."""

import pathlib
import sys

from . import write

if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m baryon.reference FOLDER")
    print(len(write(pathlib.Path(sys.argv[1]))), "pages in", sys.argv[1])
