"""What varies in a search: keys of a recipe, and between which values.

    train.learning_rate=1e-4..1e-2:log      numbers between, on a logarithmic scale
    train.label_smoothing=0..0.2            numbers between
    net.options.channels=32|48|64           one of these

In a recipe the same stands under [tune]; a list is one of its values:

    [tune]
    "train.learning_rate" = "1e-4..1e-2:log"
    "net.options.channels" = [32, 48, 64]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgekws import recipe as recipes
from edgekws.errors import ConfigError, unknown
from edgekws.recipe import Recipe

_SECTIONS = ("net", "train", "augment")
"""What a training reads; the section [quant] comes after it."""
_OPTIONS = "net.options."
_HINT = "like train.learning_rate=1e-4..1e-2:log, train.label_smoothing=0..0.2 or net.options.channels=32|48|64"


@dataclass(frozen=True)
class Range:
    """key: dotted; either choices, or numbers from low to high, whole ones if both are integers."""

    key: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that are tried before a search begins: if these are legal, those between are."""
        return self.choices or (self.low, self.high)

    def text(self) -> str:
        """As it is typed."""
        between = "|".join(map(str, self.choices)) or f"{self.low}..{self.high}{':log' if self.log else ''}"
        return f"{self.key}={between}"


def parse(text: str) -> Range:
    """The range of an option --range. Raises ConfigError."""
    key, separator, values = text.partition("=")
    if not (separator and key.strip() and values.strip()):
        raise ConfigError("--range should be a key of the recipe, = and its values", got=text, hint=_HINT)
    return _range(key.strip(), values.strip(), "--range")


def of_recipe(recipe: Recipe) -> tuple[Range, ...]:
    """The ranges under [tune] of a recipe. Raises ConfigError."""
    return tuple(
        _range(key, value, "[tune]") if isinstance(value, str) else Range(key, tuple(value))
        for key, value in recipe.tune.items()
    )


def applied(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these values, and without ranges. Raises ConfigError for a value that it does not allow."""
    sections = recipe.model_dump(include=set(_SECTIONS))
    for key, value in values.items():
        *path, last = key.split(".")
        place = sections
        for name in path:
            place = place[name]
        place[last] = value
    return recipes.changed(recipe, **sections, tune={})


def checked(recipe: Recipe, ranges: Sequence[Range]) -> tuple[Range, ...]:
    """The ranges, each of one key that a training reads, with ends that the recipe allows.

    Raises ConfigError without any range, for an unknown key (with those that are close), for a key that is given
    twice, and for values that the recipe refuses.
    """
    if not ranges:
        raise ConfigError("a search needs ranges", got="none", hint=f"give --range {_HINT}, or [tune] in the recipe")
    keys = [each.key for each in ranges]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise ConfigError(f"--range should name a key once: {twice[0]}", got=f"{keys.count(twice[0])} ranges")
    return tuple(_checked(recipe, each) for each in ranges)


def _checked(recipe: Recipe, each: Range) -> Range:
    known = dict(_keys(recipe))
    if each.key.startswith("quant."):
        hint = "edgekws quantize --budget searches bit widths"
        raise ConfigError("--range should be of what a training reads", got=each.key, hint=hint)
    if each.key not in known and not each.key.startswith(_OPTIONS):
        raise ConfigError(unknown("--range", each.key, known), hint=_HINT)
    if isinstance(known.get(each.key), float) and not each.choices:
        each = Range(each.key, (), float(each.low), float(each.high), each.log)
    for value in each.ends:
        recipes.check(applied(recipe, {each.key: value}), "--range ")
    return each


def _keys(recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """Dotted keys of the sections that a training reads, with their values."""
    for section, values in recipe.model_dump(include=set(_SECTIONS)).items():
        for key, value in values.items():
            if isinstance(value, dict):
                yield from ((f"{section}.{key}.{name}", inner) for name, inner in value.items())
            else:
                yield f"{section}.{key}", value


def _range(key: str, values: str, where: str) -> Range:
    low, separator, high = values.removesuffix(":log").partition("..")
    if not separator:
        return Range(key, tuple(_value(part.strip()) for part in values.split("|")))
    numbers = _value(low.strip()), _value(high.strip())
    log = values.endswith(":log")
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        raise ConfigError(f"{where} {key} should be two numbers with .. between them", got=values, hint=_HINT)
    if not numbers[0] < numbers[1] or (log and numbers[0] <= 0):
        expected = "rise from a number above 0" if log else "rise"
        raise ConfigError(f"{where} {key} should {expected}", got=values, hint=_HINT)
    return Range(key, (), *numbers, log)


def _value(text: str) -> Any:  # noqa: ANN401 (a number, a truth value or a text)
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)
