"""The released models' cards: what the generator makes of the published results."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
CARDS = sorted(HOME.glob("models/*/card.md"))
WRITTEN = ("dscnn_stream",)
"""Cards that no generator makes."""


@pytest.mark.parametrize(
    "path", [path for path in CARDS if path.parent.name not in WRITTEN], ids=lambda path: path.parent.name
)
def test_a_card_is_what_the_generator_makes_of_the_results(path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(HOME / "benchmarks"), *sys.path])
    from _card import card

    text = path.read_text()
    table = json.loads((HOME / "benchmarks" / "results" / f"{path.parent.name}.json").read_text())
    files = [path.parent / name for name in re.findall(r"^- `([^`]+)` sha256", text, re.MULTILINE)]
    assert text == card(table, files)


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_a_card_names_the_data_set_and_its_license(path):
    text = path.read_text()
    assert "Speech Commands v0.02 (P. Warden" in text
    assert "CC BY 4.0" in text
