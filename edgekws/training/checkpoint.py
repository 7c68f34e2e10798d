"""Checkpoints: safetensors with a JSON header. Nothing is unpickled.

metadata.edgekws   {"kind", "version", ...}: the caller's header, e.g. epoch and network
tensors            "group/name", e.g. "model/0.weight", "average/0.weight", "optimizer/3.exp_avg"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgekws.errors import ArtifactError
from edgekws.files import check_kind, write_bytes
from edgekws.files.os_errors import unreadable

KIND, VERSION = "edgekws-checkpoint", 1
LAST, BEST = "last.safetensors", "best.safetensors"
"""The checkpoints of a run: to continue with, and of the epoch with the lowest validation loss."""
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """header: of the caller; groups: group -> name -> tensor."""

    header: dict[str, Any]
    groups: dict[str, Tensors]


def save(path: Path, header: Mapping[str, Any], groups: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
    """Write a checkpoint atomically. Raises ArtifactError when it cannot be written."""
    from safetensors.torch import save as to_bytes

    flat = {f"{group}/{name}": value.cpu().contiguous() for group in groups for name, value in groups[group].items()}
    metadata = {"edgekws": json.dumps({"kind": KIND, "version": VERSION, **header})}
    write_bytes(path, to_bytes(flat, metadata))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises ArtifactError for a missing, damaged or foreign file."""
    return _read(path, lambda file: {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118 (not a dict)


def _read(path: Path, tensors: Callable[[Any], Tensors]) -> Checkpoint:
    """The header, and by group what `tensors` reads of the open file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("edgekws", "{}"))
            flat = tensors(file)
    except OSError as error:
        raise unreadable(ArtifactError, path, "an edgekws checkpoint", error, "run edgekws train") from error
    except (SafetensorError, ValueError) as error:
        hint = "run edgekws train"
        raise ArtifactError(f"{path} should be an edgekws checkpoint", got=str(error), hint=hint) from error
    check_kind(path, header, KIND, VERSION)
    groups: dict[str, Tensors] = {}
    for key, value in flat.items():
        group, _, name = key.partition("/")
        groups.setdefault(group, {})[name] = value
    return Checkpoint(header, groups)


def header_of(path: Path) -> dict[str, Any]:
    """The header of a checkpoint, without reading its tensors. Raises ArtifactError as `load` does."""
    return _read(path, lambda _: {}).header


def load_into(model: torch.nn.Module, tensors: Tensors, path: Path) -> None:
    """Load `tensors` into `model`. Raises ArtifactError, with the first name that differs, for another network's."""
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    stored = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in sorted(expected.keys() | stored.keys()):
        if expected.get(name) != stored.get(name):
            raise ArtifactError(
                f"{path} should hold the weights of this network: {name} of shape {expected.get(name)}",
                got=f"{stored.get(name)}",
                hint="use the recipe that the checkpoint was trained with, or train again in another folder",
            )
    model.load_state_dict(tensors)
