"""Recipes: one TOML file that defines how a model is made. Unknown keys are refused by name."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from edgekws import models
from edgekws.data.augment import AugmentSpec
from edgekws.data.scenes.compose import ComposeSpec
from edgekws.errors import ConfigError, constraint, unknown
from edgekws.files.os_errors import unreadable

_HINT = "see the recipe of a released model: edgekws models says where they are"


_LATER = (
    *("slots", "precision", "init", "patience", "tune", "features", "stream"),
    *("preset", "arithmetic", "level", "stream_peak", "clip_samples", "log_floor"),
)
"""Their default is None or empty."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keys that came later are left out while they are not given: older files and hashes stay as they are."""
        written: dict[str, Any] = handler(self)
        return {key: value for key, value in written.items() if value or key not in _LATER}


class NetSection(_Section):
    """A file of edgekws/nets and the options of its `build`."""

    name: str = "dscnn"
    """A file of edgekws/nets."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What the network is built with, such as channels and blocks."""


class FeaturesSection(_Section):
    preset: Literal["mlperf"] | None = None
    """A front end of edgekws/features/presets.py: "mlperf" makes the int8 inputs of MLPerf Tiny, of one scale and zero
    point. Without it, each coefficient gets a scale that suits the training clips."""
    arithmetic: Literal["float", "fixed"] | None = None
    """How features are computed: "fixed" in integers, the same on every computer and board; by default "float"."""
    level: Literal["clip", "stream"] | None = None
    """What samples are divided by: the highest of the clip, or "stream", a constant, as continuous listening needs."""
    stream_peak: int | None = Field(None, ge=1, le=32_768)
    """This constant, in steps of int16; by default 8192."""
    clip_samples: int | None = Field(None, ge=1)
    """What the network hears at once; by default 16000, one second."""
    log_floor: float | None = Field(None, gt=0)
    """What is added to each mel band before the logarithm, for samples divided by `level`; by default 1e-6. Higher, it
    hides differences between quiet noises."""

    def given(self) -> dict[str, Any]:
        """The fields of a FeatureSpec that the recipe states, by name; those of a preset are not among them."""
        return self.model_dump(exclude={"preset"}, exclude_none=True)


class TrainSection(_Section):
    epochs: int = Field(36, ge=1)
    """Of the float training; an epoch draws as many clips as the train split has."""
    batch: int = Field(128, ge=2)
    """Clips of one step."""
    learning_rate: float = Field(3e-3, gt=0)
    """The highest; it falls along half a cosine to 0 at the last step."""
    warmup_epochs: float = Field(1.0, ge=0)
    """The learning rate rises linearly in this time."""
    weight_decay: float = Field(1e-3, ge=0)
    """Of kernels and matrices, not of biases and normalizations."""
    ema_decay: float = Field(0.998, ge=0, lt=1)
    """Of the moving average of the weights, which is the network that is validated and kept."""
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    """The share of the target that all labels have alike."""
    sampling_power: float = Field(0.3, ge=0, le=1)
    """Classes are drawn with probability ~ clips ** sampling_power: 0 is balanced, 1 is as recorded."""
    prior_correction: float = Field(1.0, ge=0, le=1)
    """1 removes these probabilities from the trained scores, which then suit balanced classes."""
    teachers: tuple[str, ...] = ()
    """Checkpoints of trained networks, whose mean scores are the target of knowledge distillation."""
    teacher_weight: float = Field(0.5, ge=0, le=1)
    """The teachers' share of the loss; the labels have the rest."""
    slots: int | None = Field(None, ge=1)
    """Cut each batch into so many equal slots, so that the weights do not depend on the number of processes."""
    precision: Literal["float32", "bf16"] | None = None
    """Of the float training; by default bf16 where a CUDA device computes, else float32. QAT is always float32."""
    init: str | None = None
    """Fine-tune this network, a model's folder, a checkpoint, or a released model's name. Its front end is kept unless
    features.preset names one."""
    patience: int | None = Field(None, ge=1)
    """The training ends after so many epochs without a better validation loss; without it, after `epochs`."""

    @field_validator("slots")
    @classmethod
    def _divides_the_batch(cls, slots: int | None, info: ValidationInfo) -> int | None:
        batch = info.data.get("batch")
        if slots and batch and batch % slots:
            raise ValueError(f"should divide the batch of {batch} clips")
        return slots

    def teacher_files(self) -> list[Path]:
        """Files of the teachers; those of a released model are found wherever edgekws is installed."""
        return [models.find(Path(path)) for path in self.teachers]


class StreamSection(_Section):
    """The float network is trained on streams of words, speech, noise and rooms, which are composed as it trains."""

    hours: float = Field(4.0, gt=0)
    """Of an epoch."""
    passes: int = Field(3, ge=1)
    """How often each stream is trained on."""
    piece_steps: int = Field(64, ge=1)
    """Steps of the pieces that streams are cut into: train.batch pieces are a batch."""
    keyword_weight: float = Field(4.0, gt=0)
    """Of the loss, at steps where a keyword is the answer."""
    unknown_weight: float = Field(0.6, gt=0)
    """Where other speech is the answer."""
    silence_weight: float = Field(0.5, gt=0)
    """Where nothing is said."""
    false_accept_weight: float = Field(4.0, ge=0)
    """A step without a keyword counts 1 + this times the highest probability of a keyword."""
    scenes: ComposeSpec = ComposeSpec()
    """What streams are made of: the keys of edgekws/data/scenes/compose.py."""


WeightBits = Literal[8, 4, 2]


class QuantSection(_Section):
    target: str = "tinpu"
    """A file of edgekws/targets."""
    method: Literal["ptq", "qat"] = "qat"
    """Calibrate and convert, or train on with the integers in the forward pass."""
    weight_bits: WeightBits = 8
    """Of all layers that `layers` does not name."""
    layers: dict[str, WeightBits] = Field(default_factory=dict)
    """Other widths for some layers, by name or pattern ("dw*" = 8); the last match wins."""
    calibration: Literal["mse", "minmax", "percentile", "entropy"] = "mse"
    """How the scales of the activations are chosen."""
    calibration_clips: int = Field(1024, ge=16)
    """Training clips, drawn by the seed, on which they are chosen."""
    calibration_list: str | None = None
    """A file of training clip ids, one a line, instead of clips drawn at random."""
    headroom_bits: Literal[0, 1] = 1
    """1 keeps 8-bit weights within +-63, so that every TFLite kernel rounds as the NPU does."""
    equalize: bool = False
    """Cross-layer equalization: balances the ranges of channels before quantization."""
    correct_bias: bool = True
    """Keeps the mean of each channel as it is in the float network."""
    reconstruct: bool = True
    """PTQ of 4- and 2-bit layers rounds weights to minimize the error of the layer's output, not to nearest."""
    start: Literal["float", "ptq"] = "float"
    """Initial weights of QAT: those of the float network, or the integers of PTQ."""
    epochs: int | None = Field(None, ge=1)
    """Of QAT; by default 2, 4 or 8 for 8, 4 or 2 bits, by the narrowest layer."""
    learning_rate: float | None = Field(None, gt=0)
    """Of QAT; by default 2e-4, 5e-4 or 1e-3."""
    freeze_at: float = Field(0.7, ge=0, le=1)
    """The share of QAT after which the batch normalizations of 4- and 2-bit layers are frozen."""

    def schedule(self, narrowest: int) -> tuple[int, float]:
        """(epochs, learning rate) of QAT. narrowest: bits of the narrowest layer."""
        epochs, rate = QAT_DEFAULTS[narrowest]
        return self.epochs or epochs, self.learning_rate or rate


QAT_DEFAULTS = {8: (2, 2e-4), 4: (4, 5e-4), 2: (8, 1e-3)}


class Recipe(_Section):
    name: str = "dscnn"
    """Of the model, as reports show it."""
    seed: int = Field(0, ge=0)
    """Of every random draw: initial weights, batches, augmentation, calibration clips."""
    net: NetSection = NetSection()
    features: FeaturesSection = FeaturesSection()
    train: TrainSection = TrainSection()
    augment: AugmentSpec = AugmentSpec()
    stream: StreamSection | None = None
    quant: QuantSection = QuantSection()
    tune: dict[str, str | list[Any]] = Field(default_factory=dict)
    """Ranges of `edgekws tune`: key -> values, as edgekws/tuning/ranges.py reads them. No other step reads them."""

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


def load(path: Path) -> Recipe:
    """The recipe in a file, or of a released model by its name; every key is checked, whichever step reads it.

    Raises ConfigError that names the key, what it should be and what was found.
    """
    path = models.find(path, models.RECIPE)
    try:
        loaded = Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise unreadable(ConfigError, path, "a recipe", error, models.suggestion(path, models.RECIPE)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} should be TOML", got=str(error), hint=_HINT) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} should be TOML in UTF-8", got=f"other bytes at {error.start}", hint=_HINT) from error
    except ValidationError as error:
        raise _config_error(f"{path}: ", error, {}) from error
    check(loaded, f"{path}: ")
    return loaded


def written_keys(path: Path) -> set[str]:
    """The dotted keys that stand in the file of a recipe; the others have the defaults of this module."""
    keys: set[str] = set()

    def walk(table: dict[str, Any], prefix: str) -> None:
        for key, value in table.items():
            walk(value, f"{prefix}{key}.") if isinstance(value, dict) else keys.add(f"{prefix}{key}")

    walk(tomllib.loads(path.read_text(encoding="utf-8-sig")), "")
    return keys


def changed(recipe: Recipe, names: Mapping[str, str] | None = None, **changes: object) -> Recipe:
    """The recipe with other values, validated like its file. names: key -> what the user calls it.

    Raises ConfigError.
    """
    try:
        return Recipe.model_validate({**recipe.model_dump(), **changes})
    except ValidationError as error:
        raise _config_error("", error, names or {}) from error


def to_toml(recipe: Recipe) -> str:
    """The recipe as the text of a file, with every key that has a value."""
    sections: dict[str, Any] = recipe.model_dump(mode="json")
    top = {key: value for key, value in sections.items() if not isinstance(value, dict)}
    lines = [f"{key} = {_toml(value)}" for key, value in top.items()]
    for name, section in sections.items():
        if name not in top:
            lines += ["", f"[{name}]"]
            lines += [f"{_toml_key(key)} = {_toml(value)}" for key, value in section.items() if value is not None]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{_toml_key(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _toml_key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").isalnum() else json.dumps(key)


def check(recipe: Recipe, source: str = "") -> None:
    """What a recipe names is there: network, its options, target, widths, and files. Imports no network.

    source: begins the error. Raises ConfigError. Whether quant.layers names layers is known when the network is built.
    """
    from edgekws import plugins

    network = plugins.find("networks", recipe.net.name, _HINT)
    known = plugins.parameters(network, "build")
    for option in recipe.net.options:
        if known and option not in known[1:]:  # the first is the number of labels
            raise ConfigError(f"{source}net.options: {unknown('the option', option, known[1:])}", hint=_HINT)
    target = plugins.load("targets", recipe.quant.target.partition(":")[0], _HINT)
    for key, bits in {"weight_bits": recipe.quant.weight_bits, **recipe.quant.layers}.items():
        if bits not in target.WEIGHT_BITS:
            allowed = ", ".join(map(str, target.WEIGHT_BITS))
            name = key if key == "weight_bits" else f"layers.{key}"
            raise ConfigError(f"{source}quant.{name} should be a width of {target.NAME}: {allowed}", got=str(bits))
    _require_file(source, "quant.calibration_list", recipe.quant.calibration_list)
    for teacher in recipe.train.teacher_files():
        _require_file(source, "train.teachers", str(teacher))


def _require_file(source: str, key: str, path: str | None) -> None:
    if path is not None and not Path(path).is_file():
        hint = "paths in a recipe start at the folder where edgekws runs"
        raise ConfigError(f"{source}{key} should name a file", got=path, hint=hint)


def _config_error(source: str, error: ValidationError, names: Mapping[str, str]) -> ConfigError:
    first, *more = error.errors()
    *section, key = map(str, first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        place = f"{source}[{'.'.join(section)}] " if section else source
        return ConfigError(unknown(f"{place}the key", key, _keys(section)), hint=_HINT)
    dotted = ".".join((*section, key))
    called = source + _called(dotted, names)
    others = f"; {len(more)} other value{'s are' if len(more) > 1 else ' is'} wrong too" if more else ""
    given, hint = first.get("input"), f"{_HINT}{others}" if source else ""
    if first["type"] == "literal_error" and isinstance(given, str):
        known = [word.strip(" '") for word in constraint(first).replace(" or ", ",").split(",")]
        return ConfigError(unknown(called, given, known), hint=hint)
    be = "" if constraint(first).startswith("should ") else "should be "
    return ConfigError(f"{called} {be}{constraint(first)}", got=repr(given)[:_SHOWN], hint=hint)


_SHOWN = 60


def _called(key: str, names: Mapping[str, str]) -> str:
    """What the user calls `key`, or the longest part of it that has a name."""
    whole = key
    while key:
        if key in names:
            return f"{names[key]} {whole.removeprefix(key).lstrip('.')}".strip()
        key = key.rpartition(".")[0]
    return whole


def _keys(section: list[str]) -> list[str]:
    """The keys that a section of a recipe may have."""
    model: Any = Recipe
    for name in section:
        model = model.model_fields[name].annotation
    return list(model.model_fields if issubclass(model, BaseModel) else model.__dataclass_fields__)
