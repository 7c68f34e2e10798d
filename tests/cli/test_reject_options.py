"""`data prepare` of own words: which folders of other words reach the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekws import pipeline
from edgekws.cli.data import prepare, summary
from edgekws.data.sources import speech_commands
from edgekws.errors import ConfigError


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The options of the last preparation, which is not carried out."""
    found: dict[str, object] = {}
    (tmp_path / "own" / "yes").mkdir(parents=True)
    (tmp_path / "sc").mkdir()
    for name in speech_commands.LISTS:
        (tmp_path / "sc" / name).write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGEKWS_DATA", raising=False)
    monkeypatch.setattr(pipeline, "prepare", lambda *args, **_: found.update(args[5] or {}, source=args[0]))
    monkeypatch.setattr(summary, "show", lambda *_: None)
    return found


def test_nothing_is_given_by_default(given: dict[str, object]) -> None:
    prepare.prepare(Path("own"))
    assert given == {"source": "folder"}


def test_speech_commands_of_the_environment_are_other_words(
    given: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKWS_DATA", str(tmp_path / "sc"))
    prepare.prepare(Path("own"))
    assert given == {"source": "folder", "speech_commands": tmp_path / "sc"}
    given.clear()
    prepare.prepare(Path("own"), no_unknown=True)
    assert given == {"source": "folder", "no_unknown": True}
    given.clear()
    prepare.prepare(Path("own"), other_words=Path("more"))
    assert given == {"source": "folder", "other_words": Path("more")}


def test_own_words_of_the_environment_are_not_their_own_other_words(
    given: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKWS_DATA", str(tmp_path / "own"))
    prepare.prepare()
    assert given == {"source": "folder"}


def test_other_words_and_no_unknown_are_refused_together(given: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"--no-unknown takes no other words\. Got: --other-words, --speech-commands"):
        prepare.prepare(Path("own"), no_unknown=True, other_words=Path("a"), speech_commands=Path("b"))
    assert not given


def test_speech_commands_take_no_options_of_own_words(given: dict[str, object]) -> None:
    prepare.prepare(Path("sc"), no_unknown=True)
    assert given["source"] == "speech_commands"  # whose scan refuses the option by its name
