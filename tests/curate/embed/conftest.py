"""Small folders of recordings, and modules of the HEAR API made of a few lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.curate.embed.embed_recordings import GOOD, write_noise


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """3 words of 4 recordings of different lengths; "no/3.wav" is longer than a second."""
    root = tmp_path / "words"
    for number, word in enumerate(("no", "up", "yes")):
        for clip in range(4):
            write_noise(root / word / f"{clip}.wav", 10 * number + clip, 12_000 + 2_000 * clip)
    return root


@pytest.fixture
def module(tmp_path: Path) -> Callable[..., str]:
    """The path of a module: GOOD with some of its text replaced."""

    def make(*changes: tuple[str, str], name: str = "mine", more: str = "") -> str:
        text = GOOD
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"{name}.py"
        path.write_text(text + more)
        return str(path)

    return make
