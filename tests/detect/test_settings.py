"""detector.json: what a model listens for, beside its graph."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekws.detect import settings
from edgekws.detect.settings import Settings
from edgekws.errors import ArtifactError, ConfigError

CHOSEN = Settings(("yes", "no"), (700, settings.NEVER), 8, 20, {"budget_per_hour": 0.5})


def test_settings_are_what_was_saved(tmp_path: Path) -> None:
    settings.save(CHOSEN, tmp_path / "detector.json", "abc")
    read = settings.load(tmp_path / "detector.json", "abc")
    assert (read, read.how) == (CHOSEN, CHOSEN.how)


def test_settings_of_another_graph_are_refused(tmp_path: Path) -> None:
    settings.save(CHOSEN, tmp_path / "detector.json", "abc")
    with pytest.raises(ArtifactError, match="should belong to the graph"):
        settings.load(tmp_path / "detector.json", "def")


@pytest.mark.parametrize(
    "change",
    [{"kind": "x"}, {"version": 2}, {"smoothing_steps": 99}, {"keywords": "yes"}, {"thresholds_permille": [1]}],
)
def test_other_documents_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "detector.json"
    settings.save(CHOSEN, path, "abc")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError):
        settings.load(path)


def test_the_default_listens_for_every_word() -> None:
    default = settings.default(("yes", "_silence_", "no", "_unknown_"), step_ms=40)
    assert default == Settings(("yes", "no"), (900, 900), 8, 20)


def test_a_keyword_should_be_a_label_of_the_model() -> None:
    assert CHOSEN.indices(("a", "no", "yes")) == [2, 1]
    with pytest.raises(ConfigError, match="did you mean"):
        CHOSEN.indices(("yess", "no"))
