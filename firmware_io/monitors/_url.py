"""What stands behind a meter's scheme: PATH[?option=value&...]."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import parse_qsl

from edgekws.errors import ConfigError


def split(scheme: str, rest: str, known: Collection[str]) -> tuple[str, dict[str, str]]:
    """(path, options). Raises ConfigError for an option that is not `known`, twice there, or without a value."""
    path, _, query = rest.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    wrong = [key for key, value in pairs if key not in known or not value]
    if wrong or len(options) != len(pairs):
        raise ConfigError(
            f"{scheme}: takes the options {', '.join(sorted(known))}, each once and with a value", got=query
        )
    return path, options


def number(scheme: str, options: dict[str, str], key: str, default: float | None = None) -> float | None:
    """The positive number that option `key` gives; `default` without it."""
    if key not in options:
        return default
    try:
        value = float(options[key])
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{scheme}: the option {key} should be a positive number", got=options[key])
    return value


def rate_hz(rest: str, default_rate_hz: float) -> float:
    """Samples per second that a live meter's URL asks for (?rate_hz=N), else the meter's default."""
    pairs = dict(parse_qsl(rest.partition("?")[2]))
    return number("the meter", pairs, "rate_hz", default_rate_hz) or default_rate_hz
