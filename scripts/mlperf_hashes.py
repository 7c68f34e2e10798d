"""Add the hashes of MLPerf Tiny's keyword-spotting files to the list of the official ones.

    python scripts/mlperf_hashes.py FOLDER      with .bin files, such as kws01 of EnergyRunner or mlcommons/tiny

Files of the list without a hash get that of the folder. A file whose content differs from its hash in the list, or a
wrong size, ends the run and changes nothing: one of the two is not the official file.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from edgekws.files import sha256, write_text  # noqa: E402 (the repository's own, without an installation)
from edgekws.mlperf import kws01  # noqa: E402

CLIP_BYTES = 490


def added(text: str, folder: Path) -> tuple[str, int]:
    """(the list with the folder's hashes, how many are new). Raises ValueError for a file that contradicts it."""
    lines, new = [], 0
    for line in text.splitlines():
        name, label, digest = line.split() if not line.startswith("#") else ("", "", "")
        path = folder / name
        if not name or not path.is_file():
            lines.append(line)
            continue
        content = path.read_bytes()
        if len(content) != CLIP_BYTES or digest not in (kws01.UNLISTED, sha256(content)):
            raise ValueError(f"{path} ({len(content)} bytes) is not the official file of the list")
        new += digest == kws01.UNLISTED
        lines.append(f"{name} {label} {sha256(content)}")
    return "\n".join(lines) + "\n", new


def main(arguments: list[str]) -> int:
    """The exit code."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    try:
        text, new = added(kws01.LIST.read_text("utf-8"), Path(arguments[0]))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    write_text(kws01.LIST, text)
    print(f"{new} hashes added to {kws01.LIST.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
