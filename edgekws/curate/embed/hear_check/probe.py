"""How a user's module is called while it is checked: its failures become findings."""

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
    """check: what was looked at. text: what should be, and what is."""

    level: Literal["error", "warning"]
    check: str
    text: str


class BrokenError(Exception):
    """The check cannot go on; carries its last finding."""

    def __init__(self, check: str, text: str) -> None:
        self.finding = Finding("error", check, text)
        super().__init__(text)


def attempt(check: str, what: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401
    """What `call` gives. Raises BrokenError when it fails, in whichever way."""
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
        """float32 [clips, samples] within -1..1, every clip another."""
        import torch

        samples = round(seconds * self.rate_hz)
        noise = torch.rand(clips, samples, generator=torch.Generator().manual_seed(0)) * 2 - 1
        return noise.to(self.device)

    def scene(self, audio: torch.Tensor, what: str = "") -> torch.Tensor:
        """float32 [n, size]. Raises BrokenError for anything else."""
        check = "get_scene_embeddings"
        found = attempt(check, _call(check, audio, what), lambda: self.module.get_scene_embeddings(audio, self.network))
        wanted = (len(audio), self.network.scene_embedding_size)
        self._require(check, "a float32 tensor", found, wanted)
        return found  # type: ignore[no-any-return]

    def times(self, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 [n, t, size] and [n, t]. Raises BrokenError for anything else."""
        check = "get_timestamp_embeddings"
        found = attempt(check, _call(check, audio), lambda: self.module.get_timestamp_embeddings(audio, self.network))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise BrokenError(
                check, f"{check} should give two tensors, embeddings and their times, it gives {described(found)}"
            )
        vectors, times = found
        count = len(audio)
        self._require(
            check, "embeddings, a float32 tensor", vectors, (count, None, self.network.timestamp_embedding_size)
        )
        self._require(check, "times, a float32 tensor", times, (count, vectors.shape[1]))
        return vectors, times

    def _require(self, check: str, what: str, found: object, shape: tuple[int | None, ...]) -> None:
        import torch

        wanted = written(shape)
        if not isinstance(found, torch.Tensor) or found.dtype != torch.float32:
            raise BrokenError(check, f"{check} should give {what} {wanted}, it gives {described(found)}")
        if found.layout != torch.strided or found.is_meta:
            got = "one without numbers (meta)" if found.is_meta else f"a {found.layout} one"
            raise BrokenError(check, f"{check} should give {what} {wanted} that NumPy can take, it gives {got}")
        if not fits(found, shape):
            raise BrokenError(check, f"{check} should give {what} {wanted}, it gives {described(found)}")


def _call(function: str, audio: torch.Tensor, what: str = "") -> str:
    return f"{function} on {what or 'noise'} of shape {list(audio.shape)}"
