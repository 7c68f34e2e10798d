"""Validates a module against the HEAR API.

An error means missing or wrong embeddings; a warning means that the API recommends something else. The rules on
types, sizes and times are those of HEAR's validator; the others (finite, repeatable, audio not modified) are what
`edgekws embed` relies on. Source: hearbenchmark.com/hear-api.html.
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
    """All problems; empty for a valid module. name, weights, options, device: see ModelSpec."""
    results: list[Finding] = []
    try:
        module = _import(name)
        missing = [function for function in _FUNCTIONS if not callable(getattr(module, function, None))]
        results += [Finding("error", "functions", f"the function {function} is missing") for function in missing]
        if "load_model" in missing:
            return results
        network = _load(module, weights, dict(options or {}), device)
        results += _attributes(network)
        if any(each.level == "error" for each in results if each.check == "attributes"):
            return results
        probe = Probe(module, network, device)
    except BrokenError as error:
        return [*results, error.finding]
    if "get_scene_embeddings" not in missing:
        results += _until_broken(scene.findings(probe))
    if "get_timestamp_embeddings" not in missing:
        results += _until_broken(timestamps.findings(probe))
    return results


def _until_broken(findings: Iterator[Finding]) -> list[Finding]:
    """The findings up to the first output of a wrong type."""
    results = []
    try:
        for each in findings:
            results.append(each)
    except BrokenError as error:
        results.append(error.finding)
    return results


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except EdgeKwsError as error:
        cause = error.__cause__
        text = f"it cannot be imported: {type(cause).__name__}: {cause}" if cause else str(error)
        raise BrokenError("import", text) from error


def _load(module: ModuleType, weights: str, options: dict[str, Any], device: str) -> Any:  # noqa: ANN401
    import torch

    load: Callable[..., Any] = module.load_model
    network = attempt("load_model", f"load_model({weights!r})", lambda: load(weights, **options))
    if isinstance(network, torch.nn.Module):
        return attempt("load_model", f"moving the model to {device}", lambda: network.eval().to(device))
    if any(kind.__module__.partition(".")[0] in ("tensorflow", "keras") for kind in type(network).__mro__):
        raise BrokenError(
            "load_model", "load_model returns a TensorFlow module; HEAR allows it, edgekws runs torch.nn.Module only"
        )
    raise BrokenError("load_model", f"load_model should return a torch.nn.Module, it returns {type(network).__name__}")


def _attributes(network: Any) -> Iterator[Finding]:  # noqa: ANN401
    rate = getattr(network, "sample_rate", None)
    if not _is_integer(rate):
        yield Finding("error", "attributes", f"sample_rate of the model should be an integer, it is {rate!r}")
    elif rate not in HEAR_RATES_HZ:
        allowed = ", ".join(map(str, HEAR_RATES_HZ))
        yield Finding("error", "attributes", f"sample_rate of the model should be one of {allowed}, it is {rate}")
    for name in _SIZES:
        size: Any = getattr(network, name, None)
        if not _is_integer(size) or size < 1:
            yield Finding("error", "attributes", f"{name} of the model should be an integer above 0, it is {size!r}")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
