"""Which long audio trains, which chooses thresholds, which is read once: python benchmarks/stream_split.py FOLDER

FOLDER is the unpacked `stream.tar` (background/, keywords/, noise/, rooms/). The list beside this file,
stream_split.txt, was written once, before anything was trained, and is not to be written again: files of the test part
serve no augmentation, no mining and no choice of a threshold.

Every recording goes to a part by the hash of what was recorded: of its path, or, for noise, of the original recording
that several clips were cut from. All recordings of the phrase `computer` are test, so that nothing of a custom keyword
can be known before it is judged. Speech Commands has its own lists; of each of its background noises the first 60 % are
training, the next 20 % validation, the rest test.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

LIST = Path(__file__).with_name("stream_split.txt")
PARTS = ("training", "validation", "test")
SHARES: Mapping[str, tuple[int, int]] = {
    "background": (35, 25),
    "keywords/computer": (0, 0),
    "keywords": (60, 40),
    "noise": (50, 20),
}
"""Percent of training and validation; the rest is test. The longest name that begins a path counts."""
ROOMS = {
    "acoustic2": "training",
    "concrete_room": "training",
    "plate": "training",
    "ir_bathroom1": "validation",
    "derlon_sanctuary": "test",
}


def read() -> dict[str, str]:
    """Path below the folder -> training, validation or test, as committed."""
    lines = LIST.read_text().splitlines()
    return {path: part for part, path in (line.split(" ", 1) for line in lines if not line.startswith("#"))}


def part_of(path: str) -> str:
    """The part of one recording, from its path below the folder."""
    if path.startswith("rooms/"):
        return ROOMS[PurePosixPath(path).stem]
    training, validation = next(SHARES[name] for name in sorted(SHARES, reverse=True) if path.startswith(name))
    percent = int(hashlib.sha256(_recorded(path).encode()).hexdigest(), 16) % 100
    return PARTS[(percent >= training) + (percent >= training + validation)]


def _recorded(path: str) -> str:
    """1-211527-A and 1-211527-C of ESC-50 were cut from one recording."""
    return path.rsplit("-", 1)[0] if path.startswith("noise/") else path


def main(folder: str) -> None:
    if LIST.exists():
        sys.exit(f"{LIST.name} is there already, and models were trained after it: it should not change")
    root = Path(folder)
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    LIST.write_text("".join(f"{part_of(path)} {path}\n" for path in paths))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
