"""Recording words, driven by a microphone that plays sounds: no computer of the tests has one."""

from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from edgekws.cli import app
from edgekws.data import microphone, takes
from edgekws.errors import ConfigError, MissingPackageError

RATE = 44_100
RNG = np.random.default_rng(0)


def spoken(level=0.3, seconds=0.5):
    sound = level * np.sin(2 * np.pi * 300 * np.arange(round(RATE * seconds)) / RATE)
    quiet = RNG.normal(0, 1e-4, round(RATE * (1 - seconds) / 2))
    return np.concatenate([quiet, sound * np.hanning(len(sound)), quiet]).astype(np.float32)


class Player:
    """Plays one second after the other, as a microphone would hear them."""

    rate_hz = RATE

    def __init__(self, *sounds):
        self.sounds, self.current = list(sounds), np.zeros(0, np.float32)

    def drop(self):
        self.current = self.sounds.pop(0)

    def read(self, count):
        taken, self.current = self.current[:count], self.current[count:]
        return np.pad(taken, (0, count - len(taken)))


@pytest.fixture
def record(tmp_path, monkeypatch):
    def run(*arguments, player=None, answers="", fails=None):
        @contextmanager
        def opened(name):
            yield player

        if player:
            monkeypatch.setattr(microphone, "opened", opened)
        command = ["data", "record", "--out", tmp_path / "w", "--seconds", "1", "--countdown", "0", *arguments]
        done = CliRunner().invoke(app, list(map(str, command)), input=answers)
        assert isinstance(done.exception, fails) if fails else not done.exception, (done.output, done.exception)
        return str(done.exception) if fails else " ".join(done.output.split())

    return run


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))


def test_words_are_recorded_kept_repeated_and_gone_on_with(record, tmp_path):
    player = Player(*(spoken() for _ in range(4)))
    printed = record("--words", "yes,no", "--count", "2", player=player, answers="anna\n\nr\n\nq\n")
    assert names(tmp_path / "w") == ["yes/anna_nohash_0.wav", "yes/anna_nohash_1.wav"]
    assert "yes: 2 of 2 by anna" in printed and "no: 0 of 2 by anna" in printed
    assert "next: edgekws data prepare" in printed
    samples, rate_hz = soundfile.read(tmp_path / "w" / "yes" / "anna_nohash_0.wav")
    assert rate_hz == 16_000 and len(samples) == 16_000 and abs(np.abs(samples).max() - 0.3) < 0.01
    record("--words", "yes,no", "--count", "1", player=Player(spoken()), answers="\n")
    assert names(tmp_path / "w")[0] == "no/anna_nohash_0.wav", "the name is asked once"


def test_bad_recordings_are_noticed(record, tmp_path):
    silent, clipped = np.zeros(RATE, np.float32), np.clip(spoken(9.0), -1, 1)
    player = Player(silent, clipped, spoken(0.001), spoken())
    printed = record("--words", "yes", "--count", "1", "--speaker", "bob", "--auto", player=player)
    assert "nothing but zeros" in printed and "clipped" in printed and "almost silent" in printed
    assert names(tmp_path / "w") == ["yes/bob_nohash_0.wav"]
    broken = Player(*(silent for _ in range(9)))
    assert "5 in a row" in record("--words", "no", "--auto", "--speaker", "b", player=broken, fails=ConfigError)
    record("--words", "no", "--count", "1", player=Player(silent, silent), answers="\nk\n")
    assert "no/b_nohash_0.wav" in names(tmp_path / "w"), "a person may keep it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--words", ""], "--words should be words"),
        (["--words", "../x"], "--words should be words"),
        (["--words", "yes", "--speaker", "a/b"], "a speaker's name"),
        (["--words", "yes", "--speaker", "a_nohash_b"], "a speaker's name"),
    ],
)
def test_names_that_cannot_be_files_are_refused(record, arguments, message):
    assert message in record(*arguments, player=Player(), fails=ConfigError)


def test_a_missing_package_or_library_is_named(record, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    assert 'pip install "edgekws[record]"' in record("--list", fails=MissingPackageError)

    def no_library(name, *rest, **more):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest, **more)

    real = __import__
    monkeypatch.delitem(__import__("sys").modules, "sounddevice")
    monkeypatch.setattr("builtins.__import__", no_library)
    assert "apt-get install libportaudio2" in record("--list", fails=ConfigError)


def test_inputs_are_listed_with_the_default_one(record, monkeypatch):
    found = [microphone.Device(0, "Built-in [mono]", 1, 48_000, True)]
    monkeypatch.setattr(microphone, "devices", lambda: found)
    assert "0* Built-in [mono] 1 48000 Hz" in record("--list")
    assert takes.words(" yes , view  glass,yes") == ["yes", "view glass"]
