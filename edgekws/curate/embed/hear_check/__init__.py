"""What is wrong with a module that should follow the HEAR API, in words.

An error means that embeddings would be missing or wrong; a warning, that the API advises otherwise. The rules on
types, sizes and times are those that HEAR's validator enforces; the rest (numbers, repeatability, audio left alone)
is what a run of ours depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from edgekws.curate.embed.hear_check import scene, timestamps
from edgekws.curate.embed.hear_check.probe import BrokenError, Finding, Probe, attempt
from edgekws.curate.embed.model import HEAR_RATES_HZ, import_module
from edgekws.errors import EdgeKwsError

__all__ = ["Finding", "check_module"]

_FUNCTIONS = ("load_model", "get_scene_embeddings", "get_timestamp_embeddings")
_SIZES = ("scene_embedding_size", "timestamp_embedding_size")


def check_module(
    name: str, weights: str = "", options: Mapping[str, Any] | None = None, device: str = "cpu"
) -> list[Finding]:
    """All that can be found out; empty for a module that is right. name, weights, options, device: see ModelSpec."""
    found: list[Finding] = []
    try:
        module = _imported(name)
        missing = [function for function in _FUNCTIONS if not callable(getattr(module, function, None))]
        found += [Finding("error", "functions", f"there is no function {function}") for function in missing]
        if "load_model" in missing:
            return found
        network = _loaded(module, weights, dict(options or {}), device)
        found += _attributes(network)
        if any(each.level == "error" for each in found if each.check == "attributes"):
            return found
        probe = Probe(module, network, device)
    except BrokenError as error:
        return [*found, error.finding]
    if "get_scene_embeddings" not in missing:
        found += _until_broken(scene.findings(probe))
    if "get_timestamp_embeddings" not in missing:
        found += _until_broken(timestamps.findings(probe))
    return found


def _until_broken(findings: Iterator[Finding]) -> list[Finding]:
    """Once a function gives something of another kind, there is no more to say about it."""
    found = []
    try:
        for each in findings:
            found.append(each)
    except BrokenError as error:
        found.append(error.finding)
    return found


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except EdgeKwsError as error:
        cause = error.__cause__
        text = f"it cannot be imported: {type(cause).__name__}: {cause}" if cause else str(error)
        raise BrokenError("import", text) from error


def _loaded(module: ModuleType, weights: str, options: dict[str, Any], device: str) -> Any:  # noqa: ANN401
    import torch

    load: Callable[..., Any] = module.load_model
    network = attempt("load_model", f"load_model({weights!r})", lambda: load(weights, **options))
    if isinstance(network, torch.nn.Module):
        return attempt("load_model", f"moving the model to {device}", lambda: network.eval().to(device))
    if any(kind.__module__.partition(".")[0] in ("tensorflow", "keras") for kind in type(network).__mro__):
        raise BrokenError(
            "load_model", "load_model gives a TensorFlow module; HEAR allows it, edgekws runs torch.nn.Module only"
        )
    raise BrokenError("load_model", f"load_model should give a torch.nn.Module, it gives {type(network).__name__}")


def _attributes(network: Any) -> Iterator[Finding]:  # noqa: ANN401
    rate = getattr(network, "sample_rate", None)
    if not _is_integer(rate):
        yield Finding("error", "attributes", f"the model's sample_rate should be an integer, it is {rate!r}")
    elif rate not in HEAR_RATES_HZ:
        allowed = ", ".join(map(str, HEAR_RATES_HZ))
        yield Finding("error", "attributes", f"the model's sample_rate should be one of {allowed}, it is {rate}")
    for name in _SIZES:
        size: Any = getattr(network, name, None)
        if not _is_integer(size) or size < 1:
            yield Finding("error", "attributes", f"the model's {name} should be an integer above 0, it is {size!r}")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
