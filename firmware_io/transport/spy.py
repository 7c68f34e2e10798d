"""spy:FILE:URL: any other transport, and all of its traffic in a file that `replay:` plays byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from edgekws.errors import ConfigError
from firmware_io import transport as transports
from firmware_io.traffic import Spy
from firmware_io.transport import Transport, open_transport, schemes


@contextmanager
def recorded(opened: AbstractContextManager[Transport], url: str, path: Path) -> Iterator[Transport]:
    """`opened`, which `url` names, for the duration of a `with` block, recorded in `path`."""
    with opened as transport, Spy(transport, url, path) as spy:
        yield spy


def connect(rest: str, elf: Path | None = None) -> AbstractContextManager[Transport]:
    path, url = _parts(rest)
    return recorded(open_transport(url, elf), url, path)


def board_of(rest: str) -> str:
    return transports.board_of(_parts(rest)[1])


def _parts(rest: str) -> tuple[Path, str]:
    """The file ends where a URL begins: it may itself have a colon, as on Windows."""
    words = rest.split(":")
    for at in range(1, len(words)):
        if words[at] in schemes() and words[at - 1]:
            return Path(":".join(words[:at])), ":".join(words[at:])
    raise ConfigError("spy: needs a file and a URL", got=rest or "nothing", hint="for example spy:traffic.jsonl:host:")
