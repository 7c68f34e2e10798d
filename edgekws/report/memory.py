"""The memory plan of a run's firmware: what the model's arena in RAM consists of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Row = Mapping[str, Any]


class Arena(BaseModel):
    """RAM between input and scores, as planned for the firmware that ran; bytes.

    tensors_bytes: activations; a layer may write over its input. scratch_bytes: what the kernels of `core` need while
    they run. min_ram: kernels that need the least.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    core: str
    tensors_bytes: int = Field(ge=0)
    scratch_bytes: int = Field(ge=0)
    min_ram: bool


def arena_bytes(arena: Row) -> int:
    """Size of the arena: tensors and scratch are never in the same place."""
    return int(arena["tensors_bytes"]) + int(arena["scratch_bytes"])


def arena_parts(arena: Row) -> str:
    """Of what it consists: "tensors 8,064 B + scratch 8,848 B for dsp"."""
    least = ", least memory" if arena["min_ram"] else ""
    return f"tensors {arena['tensors_bytes']:,} B + scratch {arena['scratch_bytes']:,} B for {arena['core']}{least}"
