"""What LiteRT's C code writes to the standard error: notes are dropped, warnings and errors are not."""

from __future__ import annotations

import os

import pytest

from edgekws.emit.tflite import quiet


def test_notes_are_dropped_and_the_rest_follows(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet.without_notes():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: no such op\n")
    os.write(2, b"INFO: after it\n")
    assert capfd.readouterr().err == "ERROR: no such op\nINFO: after it\n"


def test_an_error_inside_hides_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken"), quiet.without_notes():
        os.write(2, b"WARNING: one\n")
        raise ValueError("broken")
    assert capfd.readouterr().err == "WARNING: one\n"
