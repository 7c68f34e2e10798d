"""`python -m firmware_io.build IMAGE`: write the build id into an image that was linked by hand, and print it."""

from __future__ import annotations

import sys
from pathlib import Path

from edgekws.errors import EdgeKwsError
from firmware_io.build import build_id


def main(arguments: list[str]) -> str | None:
    """Print the id. Returns what sys.exit takes: None, or the error as a paragraph."""
    if len(arguments) != 1:
        return "give the path of one image: python -m firmware_io.build IMAGE"
    try:
        print(build_id.write(Path(arguments[0])))
    except EdgeKwsError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
