"""Calls a user's module during the check: its failures become findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from edgekws.curate.embed.model import described, fits, named, written

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Finding:
    """check: the name of the rule. text: expected and actual."""

    level: Literal["error", "warning"]
    check: str
    text: str


class BrokenError(Exception):
    """The check cannot go on; carries its last finding."""

    def __init__(self, check: str, text: str) -> None:
        self.finding = Finding("error", check, text)
        super().__init__(text)


def attempt(check: str, what: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401
    """The result of `call`. Raises BrokenError when it fails in any way."""
    try:
        return call()
    except (Exception, SystemExit) as error:  # a user's code
        raise BrokenError(check, f"{what} fails: {named(error)}") from error


@dataclass(frozen=True)
class Probe:
    """The module and its model. Noise is the same in every check."""

    module: ModuleType
    network: Any
    device: str

    @property
    def rate_hz(self) -> int:
        return int(self.network.sample_rate)

    def noise(self, clips: int, seconds: float) -> torch.Tensor:
        """float32 [clips, samples] within -1..1, every clip different."""
        import torch

        samples = round(seconds * self.rate_hz)
        noise = torch.rand(clips, samples, generator=torch.Generator().manual_seed(0)) * 2 - 1
        return noise.to(self.device)

    def scene(self, audio: torch.Tensor, what: str = "") -> torch.Tensor:
        """float32 [n, size]. Raises BrokenError for anything else."""
        check = "get_scene_embeddings"
        output = attempt(
            check, _call(check, audio, what), lambda: self.module.get_scene_embeddings(audio, self.network)
        )
        expected = (len(audio), self.network.scene_embedding_size)
        self._require(check, "a float32 tensor", output, expected)
        return output  # type: ignore[no-any-return]

    def times(self, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 [n, t, size] and [n, t]. Raises BrokenError for anything else."""
        check = "get_timestamp_embeddings"
        output = attempt(check, _call(check, audio), lambda: self.module.get_timestamp_embeddings(audio, self.network))
        if not isinstance(output, tuple | list) or len(output) != 2:
            raise BrokenError(
                check, f"{check} should return two tensors, embeddings and their times, it returns {described(output)}"
            )
        vectors, times = output
        count = len(audio)
        self._require(
            check, "embeddings, a float32 tensor", vectors, (count, None, self.network.timestamp_embedding_size)
        )
        self._require(check, "times, a float32 tensor", times, (count, vectors.shape[1]))
        return vectors, times

    def _require(self, check: str, what: str, output: object, shape: tuple[int | None, ...]) -> None:
        import torch

        expected = written(shape)
        if not isinstance(output, torch.Tensor) or output.dtype != torch.float32:
            raise BrokenError(check, f"{check} should return {what} {expected}, it returns {described(output)}")
        if output.layout != torch.strided or output.is_meta:
            got = "one without data (meta)" if output.is_meta else f"a {output.layout} one"
            raise BrokenError(check, f"{check} should return {what} {expected} that NumPy can read, it returns {got}")
        if not fits(output, shape):
            raise BrokenError(check, f"{check} should return {what} {expected}, it returns {described(output)}")


def _call(function: str, audio: torch.Tensor, what: str = "") -> str:
    return f"{function} on {what or 'noise'} of shape {list(audio.shape)}"
