"""YAML of mappings, lists and plain text only, in the order of the file.

No loader that constructs objects takes part: tags and keys that are not text end with their line, and nothing is ever
run. An alias is the value of its anchor, not a copy, and all of them together may stand for a million entries: a bomb
ends there. libyaml's parser reads 40,000 ids in a fraction of the time of Python's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekws.curate import packages
from edgekws.errors import ArtifactError

Value = Any
"""dict, list, str, int or NotText."""
Event = Any
"""Of PyYAML, which has no types."""

_DEPTH = 8
_ALIASED = 1_000_000
_HINT = "write plain lists of quoted ids, without anchors, aliases or tags"
_INDICATORS = "~-+.0123456789=yYnNtTfFoO<"
"""First characters of plain text that YAML 1.1 may read as something else than text."""


def read(text: str, path: Path) -> Value:
    """Dicts, lists and strings; int and NotText where YAML reads plain text so.

    Raises ArtifactError with the line.
    """
    yaml = packages.load("yaml")
    parser = getattr(yaml, "CLoader", yaml.SafeLoader)
    try:
        return _Reader(iter(yaml.parse(text, Loader=parser)), path).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "its characters"
        raise ArtifactError(
            f"{path} should be YAML", got=f"{getattr(error, 'problem', None) or error} at {place}", hint=_HINT
        ) from error


@dataclass(frozen=True)
class NotText:
    """Unquoted text that YAML 1.1 reads as something else: `no` is a bool, an empty value is null."""

    tag: str
    text: str

    def __str__(self) -> str:
        return f"{self.text} (read as {self.tag}; quote it)" if self.text else "empty"


class _Reader:
    def __init__(self, events: Iterator[Any], path: Path) -> None:
        from yaml.resolver import Resolver

        self._events, self._path, self._resolver = events, path, Resolver()
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._entries = self._aliased = 0

    def document(self) -> Value:
        next(self._events)
        if type(next(self._events)).__name__ == "StreamEndEvent":
            return None
        value = self._value(next(self._events), 0)
        next(self._events)
        rest = next(self._events)
        if type(rest).__name__ != "StreamEndEvent":
            raise self._wrong("a second document", rest)
        return value

    def _value(self, event: Event, depth: int) -> Value:
        name, before = type(event).__name__, self._entries
        if name == "AliasEvent":
            return self._alias(event)
        if event.tag and event.tag != "!":
            raise self._wrong(f"the tag {event.tag}", event)
        if depth > _DEPTH:
            raise self._wrong(f"more than {_DEPTH} levels", event)
        self._entries += 1
        if name == "ScalarEvent":
            value = self._scalar(event)
        else:
            value = self._list(depth) if name == "SequenceStartEvent" else self._mapping(depth)
        if event.anchor:
            self._anchors[event.anchor] = value, self._entries - before
        return value

    def _alias(self, event: Event) -> Value:
        if event.anchor not in self._anchors:
            raise self._wrong(f"the alias *{event.anchor} of nothing before it", event)
        value, entries = self._anchors[event.anchor]
        self._entries += entries
        self._aliased += entries
        if self._aliased > _ALIASED:
            raise self._wrong(f"aliases that stand for more than {_ALIASED:,} entries", event)
        return value

    def _list(self, depth: int) -> list[Any]:
        values = []
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            values.append(self._value(event, depth + 1))
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = self._value(event, depth + 1)
            if not isinstance(key, str):
                shown = getattr(event, "value", "a list")
                raise self._wrong(f"the key {shown}, which YAML does not read as text (quote it)", event)
            if key in values:
                raise self._wrong(f"the key {key} twice; only one of the two would count", event)
            values[key] = self._value(next(self._events), depth + 1)
        return values

    def _scalar(self, event: Event) -> Value:
        text: str = event.value
        if not event.implicit[0] or event.style:
            return text
        if text and text[0] not in _INDICATORS:
            return text
        return self._plain(text)

    def _plain(self, text: str) -> Value:
        """What YAML 1.1 makes of unquoted text."""
        from yaml.nodes import ScalarNode

        tag = self._resolver.resolve(ScalarNode, text, (True, False)).rpartition(":")[2]
        if tag == "str":
            return text
        if tag == "int" and re.fullmatch(r"[-+]?(0|[1-9]\d{0,17})", text):
            return int(text)
        return NotText(tag, text)

    def _wrong(self, got: str, event: Event) -> ArtifactError:
        place = event.start_mark.line + 1
        return ArtifactError(f"{self._path} should hold lists and text only", got=f"{got}, line {place}", hint=_HINT)
