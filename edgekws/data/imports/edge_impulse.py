"""A project exported by Edge Impulse: info.labels beside the folders training and testing.

    info.labels           {"version": 1, "files": [{"path": ..., "category": ..., "label": {"type", "label"}}, ...]}
    training/yes.3k2j.wav without info.labels, the label is what stands before the first dot

A file is audio, or of the data acquisition format (JSON or CBOR): payload.sensors has one sensor "audio",
payload.values the samples, and payload.interval_ms the time between two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekws.data import cbor
from edgekws.data.folders import SUFFIXES
from edgekws.data.imports.writing import Item
from edgekws.data.listing import LeftOut
from edgekws.errors import DataError

INFO, FOLDERS = "info.labels", ("training", "testing")
_AUDIO_SENSORS = ("audio", "microphone", "mic")


def is_here(source: Path) -> bool:
    """Whether `source` has the files of an export."""
    return (source / INFO).is_file() or all((source / name).is_dir() for name in FOLDERS)


def items(source: Path) -> Iterator[Item | LeftOut]:
    """Each labelled file. The project's own division into training and testing is not kept."""
    if not is_here(source):
        got = f"neither {INFO} nor {' and '.join(FOLDERS)}"
        raise DataError(f"{source} should be an export of Edge Impulse", got=got, hint="unpack its archive")
    for path, label in _labelled(source):
        if not label:
            yield LeftOut(_name(path, source), "without one label")
        elif not path.is_file():
            yield LeftOut(_name(path, source), "no such file")
        elif path.suffix.lower() in SUFFIXES:
            yield Item(label, path.name.rpartition(".")[0], path)
        elif path.suffix.lower() in (".json", ".cbor"):
            yield _acquired(path, label, source)
        else:
            yield LeftOut(_name(path, source), f"not a recording ({path.suffix})")


def _labelled(source: Path) -> Iterator[tuple[Path, str]]:
    if (source / INFO).is_file():
        yield from _of_info(source)
        return
    for folder in FOLDERS:
        for path in sorted((source / folder).glob("*")):
            if path.is_file() and not path.name.startswith(".") and not path.name.endswith(".labels"):
                yield path, path.name.partition(".")[0]


def _of_info(source: Path) -> Iterator[tuple[Path, str]]:
    try:
        files = json.loads((source / INFO).read_text(encoding="utf-8"))["files"]
        rows = [(str(each["path"]), each.get("label")) for each in files]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        got = f"something else ({type(error).__name__}: {error})"
        raise DataError(f"{source / INFO} should list the files of an export", got=got) from error
    for name, label in rows:
        value = label.get("label", "") if isinstance(label, dict) else label
        inside = (source / name).resolve().is_relative_to(source.resolve())
        yield source / name, str(value or "") if inside else ""


def _acquired(path: Path, label: str, source: Path) -> Item | LeftOut:
    try:
        content = path.read_bytes()
        value = cbor.loads(content) if path.suffix.lower() == ".cbor" else json.loads(content)
        payload = value["payload"]
        sensors = [str(sensor["name"]) for sensor in payload["sensors"]]
        interval_ms = float(payload["interval_ms"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        return LeftOut(_name(path, source), f"not of the data acquisition format ({type(error).__name__})")
    if len(sensors) != 1 or sensors[0].lower() not in _AUDIO_SENSORS:
        return LeftOut(_name(path, source), f"not audio but {', '.join(sensors)}")
    samples = _samples(payload.get("values"))
    if samples is None or not 0 < interval_ms < 1:
        return LeftOut(_name(path, source), "its values are not samples")
    speaker = path.name.rpartition(".")[0]
    return Item(label, speaker, path, samples=samples, rate_hz=round(1_000 / interval_ms))


def _samples(values: Any) -> np.ndarray | None:  # noqa: ANN401
    """int16 [n]: the values are integers of 16 bits, or floats in +-1, alone or in rows of one."""
    try:
        samples = np.asarray(values, np.float64).reshape(-1)
    except (TypeError, ValueError):
        return None
    if not len(samples) or not np.isfinite(samples).all():
        return None
    scale = 32_768 if np.abs(samples).max() <= 1 and (samples % 1).any() else 1
    return np.clip(np.round(samples * scale), -32_768, 32_767).astype(np.int16)


def _name(path: Path, source: Path) -> str:
    return str(path.relative_to(source)) if path.is_relative_to(source) else str(path)
