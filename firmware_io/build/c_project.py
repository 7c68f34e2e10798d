"""A self-contained C project: a folder with a model, its kernels, golden vectors, a test program and a Makefile.

All but the model comes from firmware/kernels and firmware/project; the texts there are templates with $names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Template

import numpy as np

from edgekws.emit import c
from edgekws.emit.c.golden_header import header
from edgekws.features.spec import UnknownFeatures
from edgekws.graph.io import digest
from edgekws.graph.ir import Graph
from firmware_io.build import CFLAGS, FIRMWARE

PER_LABEL = 2
"""Clips per label in the golden vectors."""
_TEXTS = FIRMWARE / "project"
_INCLUDE = re.compile(r'^#include "(kernels/[\w/]+\.h)"', re.MULTILINE)
_UNPLAIN = re.compile(r"[^\w .:/,+-]")


@dataclass(frozen=True)
class Golden:
    """Golden vectors: features int8 [n, frames, coefficients], scores int8 [n, labels], labels int [n], clip ids."""

    features: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]


def files(graph: Graph, golden: Golden, min_ram: bool = False) -> dict[str, bytes]:
    """All files of the project: path -> content. Raises what edgekws.emit.c.emit raises."""
    model = c.emit(graph, min_ram)
    vectors = header(graph, golden.features, golden.scores, golden.labels, golden.ids)
    return {
        **model,
        **kernels(model.values()),
        "golden.h": vectors.encode(),
        "main.c": (_TEXTS / "main.c").read_bytes(),
        "Makefile": (_TEXTS / "Makefile").read_bytes(),
        "README.md": _readme(graph, len(golden.features), min_ram).encode(),
    }


def kernels(sources: Iterable[bytes]) -> dict[str, bytes]:
    """The headers below kernels/ that `sources` include, directly or indirectly: path -> content."""
    headers: dict[str, bytes] = {}
    pending = [source.decode() for source in sources]
    while pending:
        for name in _INCLUDE.findall(pending.pop()):
            if name not in headers:
                headers[name] = (FIRMWARE / name).read_bytes()
                pending.append(headers[name].decode())
    return dict(sorted(headers.items()))


_EXPONENTIALS = "512 of `ekw_model_exp`"
_EXPONENTIALS_ROW = (
    "| `ekw_model_exp` | probabilities of scores: round(65535 * exp(-d * score scale)), d steps below the best one |"
)
_OWN_EXPONENTIALS = "1024 of the softmax"
_PROBABILITIES_ROW = "| `EKW_MODEL_PROBABILITIES` | scores are probabilities: (score + 128) / 256 |"


def _readme(graph: Graph, clips: int, min_ram: bool) -> str:
    ends = graph.gives_probabilities
    values: Mapping[str, object] = {
        "name": _plain(graph.name),
        "digest": digest(graph),
        "clips": clips,
        "flags": " ".join(CFLAGS),
        "plan": "The plan is the one with the least scratch, `--min-ram`." if min_ram else "",
        "memory": _memory_rows(graph, min_ram),
        "parameter_bytes": f"{graph.parameter_bytes:,}",
        "exponentials": _OWN_EXPONENTIALS if ends else _EXPONENTIALS,
        "probabilities": _PROBABILITIES_ROW if ends else _EXPONENTIALS_ROW,
        "input_bytes": math.prod(graph.in_shape),
        "labels": len(graph.labels),
        "input": _input(graph),
        "names": ", ".join(map(_plain, graph.labels)),
    }
    return Template((_TEXTS / "README.md").read_text()).substitute(values)


def _input(graph: Graph) -> str:
    """What the bytes of the input mean."""
    spec, sizes = graph.features, "".join(f"[{size}]" for size in graph.in_shape if size > 1)
    if isinstance(spec, UnknownFeatures):
        unit = f"steps of {graph.input_scale:.6g} from the zero point {graph.input_zero}"
        return f"The input is int8 {sizes}, {unit}. The front end that makes it is not known here."
    seconds = spec.clip_samples / spec.rate_hz
    rounding = "trunc" if spec.rounding == "toward-zero" else "round"
    rows = (
        f"| {number} | {scale!r} | {zero} |"
        for number, (scale, zero) in enumerate(zip(spec.input_scale, spec.input_zero_point, strict=True))
    )
    return "\n".join(
        (
            f"The input is int8 [{spec.frames}][{spec.coefficients}]: {spec.frames} frames of {spec.coefficients} MFCC "
            f"of {seconds:g} s at {spec.rate_hz} Hz (window {spec.window_samples} samples, hop",
            f"{spec.hop_samples}, FFT of {spec.fft_samples}, {spec.mel_bands} mel bands from {spec.low_hz:g} to "
            f"{spec.high_hz:g} Hz), each `clip({rounding}(mfcc / scale + zero point), -128, 127)`:",
            "",
            "| coefficient | scale | zero point |",
            "|---|---|---|",
            *rows,
        )
    )


def _memory_rows(graph: Graph, min_ram: bool) -> str:
    chosen, least = c.memory(graph, min_ram), c.memory(graph, min_ram=True)
    return "\n".join(
        f"| {core} | `{c.cores()[core]}` | {chosen.arena(core):,} | {chosen.tensors:,} | {scratch:,} | "
        f"{least.arena(core):,} |"
        for core, scratch in chosen.scratch.items()
    )


def _plain(text: str) -> str:
    """Replaces characters that Markdown could interpret."""
    return _UNPLAIN.sub("_", text)
