"""Checks of get_scene_embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgekws.curate.embed.hear_check.probe import Finding, Probe

if TYPE_CHECKING:
    import torch

SCENE_CLIPS, SCENE_SECONDS = 4, 2.74
_NAME = "get_scene_embeddings"
_CLIP_SECONDS = 1.0
_TOLERANCE = 1e-3
"""Relative: with another batch size only the order of summation may change."""


def findings(probe: Probe) -> Iterator[Finding]:
    """Problems of the embeddings of noise and of silence."""
    audio = probe.noise(SCENE_CLIPS, SCENE_SECONDS)
    before = audio.clone()
    vectors = probe.scene(audio)
    if not bool((audio == before).all()):
        yield Finding("error", "audio", f"{_NAME} modifies its input audio; it should work on a copy")
    if vectors.requires_grad:
        text = f"{_NAME} tracks gradients, which keeps the memory of every layer; it should run under torch.no_grad()"
        yield Finding("warning", "gradients", text)
    vectors = vectors.detach()
    if not bool(vectors.isfinite().all()):
        yield Finding("error", "numbers", f"{_NAME} returns NaN or infinity for noise")
        return
    yield from _repeats(probe, before, vectors)
    yield from _depends_on_audio(vectors)
    yield from _silence(probe)


def _repeats(probe: Probe, audio: torch.Tensor, vectors: torch.Tensor) -> Iterator[Finding]:
    again = probe.scene(audio.clone()).detach()
    if not bool((again == vectors).all()):
        text = f"{_NAME} returns different embeddings for the same audio: is dropout or another random step active?"
        yield Finding("error", "repeatable", text)
        return
    alone = probe.scene(audio[:1].clone(), "one clip").detach()
    scale = max(float(vectors.abs().max()), 1e-9)
    if float((alone[0] - vectors[0]).abs().max()) > _TOLERANCE * scale:
        text = f"{_NAME} returns another embedding for a clip alone than in a batch: does it normalize over the batch?"
        yield Finding("error", "batches", text)


def _depends_on_audio(vectors: torch.Tensor) -> Iterator[Finding]:
    if bool((vectors == vectors[:1]).all()):
        yield Finding("warning", "audio", f"{_NAME} returns the same embedding for different clips")


def _silence(probe: Probe) -> Iterator[Finding]:
    """Digital silence reveals divisions by a peak or a deviation."""
    quiet = probe.noise(1, _CLIP_SECONDS) * 0
    if not bool(probe.scene(quiet, "silence").isfinite().all()):
        yield Finding("error", "silence", f"{_NAME} returns NaN or infinity for silence: does it divide by the level?")
