"""Fine-tuning: a training that starts with the weights and the front end of another network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from edgekws import models
from edgekws.errors import ArtifactError, ConfigError
from edgekws.features.spec import FeatureSpec
from edgekws.files import sha256_file
from edgekws.training import checkpoint
from edgekws.training.checkpoint import Tensors
from edgekws.training.layers import Standardize

_BEST = Path("float") / "best.safetensors"


@dataclass(frozen=True)
class Initial:
    """The network to start from. sha256: of its checkpoint at `path`."""

    path: Path
    tensors: Tensors
    labels: tuple[str, ...]
    features: FeatureSpec
    sha256: str


def load(init: str) -> Initial:
    """A model's folder, a checkpoint of a float training, or a released model's name.

    Raises ConfigError when there is none, and ArtifactError for the checkpoint of QAT.
    """
    path = models.find(Path(init).expanduser(), models.FLOAT)
    path = path / _BEST if path.is_dir() else path
    if not path.exists():
        expected = f"train.init should be a model's folder, a checkpoint, or one of {', '.join(models.names())}"
        raise ConfigError(expected, got=init, hint="check the path, or train that network first")
    saved = checkpoint.load(path)
    run = saved.header.get("run", {})
    if "recipe" not in run:
        hint = "give float/best.safetensors of the model's folder"
        raise ArtifactError(f"{path} should be the checkpoint of a float training", got="one of QAT", hint=hint)
    features = FeatureSpec.from_json(json.loads(json.dumps(run["features"])))
    return Initial(path, saved.groups["model"], tuple(run["labels"]), features, sha256_file(path))


def apply(network: nn.Module, initial: Initial, labels: tuple[str, ...]) -> None:
    """Copy the weights into `network`, in place. Its last layer starts afresh unless the labels are the same.

    A network that standardizes its inputs takes the weights of one that was trained on standardized features. Raises
    ConfigError, with the first name that differs, when the networks are not the same up to the last layer.
    """
    own = network.state_dict()
    fitted = {name for name in own.keys() - initial.tensors.keys() if _is_standardization(network, name)}
    own = {name: value for name, value in own.items() if name not in fitted}
    afresh = _last_layer(network) if labels != initial.labels else None
    last = {name for name in own if name.rpartition(".")[0] == afresh}
    for name in sorted((own.keys() | initial.tensors.keys()) - last):
        shapes = [tuple(part[name].shape) if name in part else None for part in (own, initial.tensors)]
        if shapes[0] != shapes[1]:
            raise ConfigError(
                f"train.init {initial.path} should be the recipe's network: {name} of shape {shapes[0]}",
                got=f"{shapes[1]}",
                hint="use the recipe that it was trained with, or another network to start from",
            )
    with torch.no_grad():
        for name in own.keys() - last:
            own[name].copy_(initial.tensors[name])


def require_front_end(network: nn.Module, initial: Initial, features: FeatureSpec) -> None:
    """Raises ConfigError when the weights were trained on other scales than those of `features`, which the network
    gets, and it does not standardize them.
    """
    if features != initial.features and not any(isinstance(module, Standardize) for module in network.modules()):
        raise ConfigError(
            f"train.init {initial.path} should be trained on the features of the recipe",
            got="one with other scales",
            hint="omit the keys of [features], or set net.options.standardize where the network has it",
        )


def _is_standardization(network: nn.Module, name: str) -> bool:
    """Whether the tensor belongs to a Standardize module."""
    modules = dict(network.named_modules())
    parts = name.split(".")
    return any(isinstance(modules.get(".".join(parts[:count])), Standardize) for count in range(1, len(parts)))


def _last_layer(network: nn.Module) -> str:
    """The name of the layer that gives a score per label."""
    *_, last = (name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d))
    return str(last)
