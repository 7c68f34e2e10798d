"""From command-line options, the challenge's or those of `select score`, to a score.

| the challenge's                                                         | here                                     |
|---|---|
| `eval.py --eval_file eval.pb --train_file train.npz`                    | `select score`, the same options         |
| `eval.py --eval_file eval.pb --train_file train.yaml --input_samples s` | `select score`, the same options         |
| `eval.py --language en --train_size 25 [--..._dir, --..._file]`         | `select score`, the same options         |

The generation is determined by the content of the evaluation file, not by its name.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekws.curate.dataperf.formats import npz, pb, yaml
from edgekws.curate.dataperf.formats.lists import EVALUATION, POOL, where_from
from edgekws.curate.dataperf.scorer import ensemble, protocols
from edgekws.curate.dataperf.scorer.score import FirstTask, Options, Score, Task, score, score_first
from edgekws.errors import ConfigError
from edgekws.files import read_content

_WORKSPACE = Path("workspace")


@dataclass(frozen=True)
class Request:
    """Options of `select score`; None and "" for those not given."""

    language: str = "en"
    train_size: int | None = None
    train_file: Path | None = None
    allowed: Path | None = None
    eval_file: Path | None = None
    train_dir: Path | None = None
    eval_dir: Path | None = None
    input_samples: Path | None = None
    config_file: Path | None = None
    numerics: str = ensemble.DEFAULT_NUMERICS
    protocol: str = ""
    strict_peer: bool = False
    data: Path | None = None


def scored(request: Request) -> Score:
    """The score of a request. Raises ConfigError for incompatible options, and what `score` raises."""
    evaluation = request.eval_file or _data(request) / EVALUATION[1]
    first = pb.is_samples(evaluation)
    protocol = protocols.named(request.protocol or ("2022-02" if first else "2023-05"))
    if protocol.first_generation != first:
        raise ConfigError(
            f"protocol {protocol.date} needs eval.{'pb' if protocol.first_generation else 'yaml'}",
            got=str(evaluation),
            hint="omit --protocol: the files determine the generation",
        )
    if first:
        return score_first(_first_task(request, evaluation), Options(request.numerics, protocol, (0,)))
    config = _config(request.config_file)
    task = _task(request, evaluation, protocol, config)
    result = score(task, Options(request.numerics, protocol, _seeds(config, protocol), request.strict_peer))
    return replace(result, warnings=(*result.warnings, *_size_warning(task.limit, protocol)))


def _size_warning(limit: int | None, protocol: protocols.Protocol) -> list[str]:
    """A warning, as in the challenge, for a size without a leaderboard."""
    if protocol.limit is not None or limit in protocols.SIZES:
        return []
    return [f"no leaderboard has the size {limit}; they are of {' and '.join(map(str, protocols.SIZES))} clips"]


def _first_task(request: Request, evaluation: Path) -> FirstTask:
    if request.train_file is None:
        raise ConfigError(
            "the first generation needs a selection", got="none", hint="give train.npz or train.yaml with --train-file"
        )
    if npz.is_archive(request.train_file):
        return FirstTask(request.train_file, evaluation)
    if request.input_samples is None:
        hint = "give the samples.pb that it chooses from with --input-samples"
        raise ConfigError(f"{request.train_file} should come with the vectors of its clips", got="ids only", hint=hint)
    return FirstTask(request.train_file, evaluation, request.input_samples)


def _task(request: Request, evaluation: Path, protocol: protocols.Protocol, config: dict[str, Any]) -> Task:
    data, size = _data(request), request.train_size
    selection = request.train_file or _default_selection(request)
    if size is None:
        named = re.search(r"_(\d{1,6})_train\.(json|ya?ml)$", selection.name)
        size = int(named[1]) if named else None
    limit = _limit(config, protocol) if protocol.limit is not None and request.train_size is None else size
    if limit is None:
        raise _size_missing(request.train_file)
    return Task(
        selection,
        request.allowed or data / POOL[1],
        evaluation,
        request.train_dir or data / POOL[0],
        request.eval_dir or data / EVALUATION[0],
        limit,
    )


def _size_missing(selection: Path | None) -> ConfigError:
    if selection is None:
        hint = "give the file that edgekws select run wrote with --train-file"
        return ConfigError(
            "there should be a selection to score", got="neither --train-file nor --train-size", hint=hint
        )
    read_content(selection, "a selection", where_from(selection))  # a missing file is reported first
    got = f"no --train-size, and {selection.name} does not say it"
    return ConfigError("a selection has a limit", got=got, hint="give the number of clips with --train-size")


def folder_of(language: str) -> Path:
    """The challenge's folder for the data of a language."""
    return _WORKSPACE / "data" / f"dataperf_{language}_data"


def _data(request: Request) -> Path:
    return request.data or folder_of(request.language)


def _default_selection(request: Request) -> Path:
    size = f"_{request.train_size}" if request.train_size is not None else ""
    return _WORKSPACE / f"{request.language}{size}_train.json"


def _config(path: Path | None) -> dict[str, Any]:
    if path is None:
        path = _WORKSPACE / "dataperf_speech_config.yaml"
        if not path.exists():
            return {}
    text = read_content(path, "a configuration of the challenge", "check the path").decode(errors="replace")
    value = yaml.read(text, path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path} should map names to values", got=type(value).__name__)
    return value


def _seeds(config: dict[str, Any], protocol: protocols.Protocol) -> tuple[int, ...]:
    many = len(protocol.seeds) > 1
    result = config.get("eval_random_seeds" if many else "random_seed")
    if result is None:
        return protocol.seeds
    seeds = result if isinstance(result, list) else [result]
    if not seeds or not all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds):
        raise ConfigError("The configuration's seeds should be integers from 0 to 4294967295", got=str(result)[:80])
    if len(set(seeds)) < len(seeds):
        raise ConfigError("The configuration's seeds should differ", got=str(result)[:80])
    return tuple(seeds)


def _limit(config: dict[str, Any], protocol: protocols.Protocol) -> int | None:
    result = config.get("train_set_size_limit", protocol.limit)
    if type(result) is not int:
        raise ConfigError("train_set_size_limit should be an integer", got=str(result)[:80])
    return result


def peer_line(result: Score) -> str:
    """The line that the challenge prints; for March 2022 one per classifier."""
    if result.options.protocol.classifiers:
        return "\n".join(f"{name} score {value}" for name, value in result.by_run.items())
    return f"{result.options.protocol.line} {result.value}"


def predictions_csv(result: Score) -> str:
    """clip, truth and one label per seed (or classifier), by name, in the order of evaluation."""
    buffer, names = io.StringIO(), [row.name for row in result.classes]
    rows = csv.writer(buffer, lineterminator="\n")
    rows.writerow(
        [
            "clip_id",
            "truth",
            *(name if result.options.protocol.classifiers else f"seed_{name}" for name in result.by_run),
        ]
    )
    for clip, truth, labels in zip(result.ids, result.truth.tolist(), result.labels.T.tolist(), strict=True):
        rows.writerow([clip, names[truth], *(names[label] for label in labels)])
    return buffer.getvalue()
