"""What a search is made of, and its study: opened, checked against what it was begun with, and asked for trials."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekws.errors import ArtifactError, ConfigError, MissingPackageError
from edgekws.recipe import Recipe
from edgekws.tuning.ranges import Range

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

NAME, DATABASE, TRIALS = "edgekws", "tune.db", "trials"
_BEGUN = "begun"
_CONTINUES = "continues"
"""Of a trial: the number of the one that was killed or ran out of time, whose training it goes on with."""
_WAIT_S = 600
"""For the lock under which trials are given out; it is held for a moment."""


@dataclass(frozen=True)
class Limits:
    """Trials above these are not trained. flash_bytes: weights and requantization parameters; None for no limit."""

    flash_bytes: int | None = None
    macs: int | None = None


@dataclass(frozen=True)
class Search:
    """A search, as every process of it needs it.

    storage: URL of Optuna; "" is a SQLite file in `out`. trials: in all, with those of earlier processes; deadline:
    time.time() after which none begins and those that run are put aside.
    """

    recipe: Recipe
    ranges: tuple[Range, ...]
    data: Path
    dataset_sha256: str
    out: Path
    trials: int
    storage: str = ""
    seed: int = 0
    deadline: float | None = None
    limits: Limits = Limits()
    device: str = "auto"

    @property
    def url(self) -> str:
        return self.storage or f"sqlite:///{(self.out / DATABASE).resolve()}"

    @property
    def is_late(self) -> bool:
        return self.deadline is not None and time.time() >= self.deadline

    def identity(self) -> dict[str, Any]:
        """What may not change while a search goes on."""
        recipe = self.recipe.model_dump(mode="json", exclude={"quant": True, "tune": True})
        ranges = sorted(each.text() for each in self.ranges)
        return {"recipe": recipe, "ranges": ranges, "dataset": self.dataset_sha256}


def study_of(search: Search) -> Study:
    """The study of this search, created if there is none.

    Raises MissingPackageError without Optuna, ArtifactError when the storage cannot be opened or holds another search.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingPackageError("optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search.out.mkdir(parents=True, exist_ok=True)
    with _claiming(search):
        study = _opened(search, optuna)
        begun = json.loads(json.dumps(search.identity()))
        known = study.user_attrs.get(_BEGUN)
        if known is None:
            study.set_user_attr(_BEGUN, begun)
        elif known != begun:
            keys = ", ".join(key for key in begun if known.get(key) != begun[key])
            hint = "give another --out, or the recipe, ranges and data that it began with"
            raise ArtifactError(f"{search.out} should hold this search", got=f"one with another {keys}", hint=hint)
    return study


def _opened(search: Search, optuna: Any) -> Study:  # noqa: ANN401 (the module)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, search.recipe.train.epochs // 10))
    try:
        with _quiet():
            study: Study = optuna.create_study(
                storage=search.url, study_name=NAME, direction="maximize", load_if_exists=True, pruner=pruner
            )
    except Exception as error:  # whatever the driver of a database raises
        hint = "" if search.storage else f"remove {search.out / DATABASE} to begin again"
        raise ArtifactError(
            f"{search.url} should be a storage of Optuna", got=str(error).partition("\n")[0], hint=hint
        ) from error
    return study


@contextmanager
def claimed(search: Search, study: Study) -> Iterator[Trial | None]:
    """The next trial, which this process holds during the block; None when no more are wanted.

    A trial whose process was killed is given out again. A trial that ends by an exception is put aside in the same way.
    """
    from optuna.trial import TrialState

    with _claiming(search):
        _put_killed_aside(search, study)
        if search.is_late or counted(study) >= search.trials:
            yield None
            return
        with _quiet():
            study.sampler = _sampler(search, len(study.get_trials(deepcopy=False)))
            trial = study.ask(distributions(search.ranges))
        lock = _lock(search, trial.number)
        lock.acquire()
    try:
        yield trial
    except BaseException:
        frozen = study.get_trials(deepcopy=False)[trial.number]
        if frozen.state == TrialState.RUNNING:
            put_aside(study, frozen)
        raise
    finally:
        lock.release()
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)


def counted(study: Study) -> int:
    """Trials that count: all but those that wait, and those that others go on with."""
    return len(counting(study))


def counting(study: Study) -> list[FrozenTrial]:
    """The trials that count, in their order."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    continued = {trial.user_attrs.get(_CONTINUES) for trial in trials}
    return [trial for trial in trials if trial.state != TrialState.WAITING and trial.number not in continued]


def put_aside(study: Study, trial: FrozenTrial) -> None:
    """End a trial that is not finished, and queue its values again."""
    from optuna.trial import TrialState

    study.enqueue_trial(trial.params, user_attrs={_CONTINUES: trial.number})
    study.tell(trial.number, state=TrialState.FAIL)


def distributions(ranges: Sequence[Range]) -> dict[str, BaseDistribution]:
    """Of Optuna, by key."""
    from optuna import distributions as kinds

    def of(each: Range) -> BaseDistribution:
        if each.choices:
            return kinds.CategoricalDistribution(each.choices)
        if isinstance(each.low, int) and isinstance(each.high, int):
            return kinds.IntDistribution(each.low, each.high, log=each.log)
        return kinds.FloatDistribution(each.low, each.high, log=each.log)

    return {each.key: of(each) for each in ranges}


def _put_killed_aside(search: Search, study: Study) -> None:
    """Trials whose lock nobody holds: their process has ended without a word."""
    from filelock import Timeout
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        lock = _lock(search, trial.number)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        put_aside(study, trial)
        lock.release()


def _sampler(search: Search, number: int) -> Any:  # noqa: ANN401 (an optuna.samplers.TPESampler)
    """Seeded for each trial by its number: a search that was interrupted does not draw the same points again."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=(search.seed * 100_003 + number) % 2**32)


@contextmanager
def _claiming(search: Search) -> Iterator[None]:
    """One process at a time gives out trials."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(search.out / ".tune.lock", timeout=_WAIT_S):
            yield
    except Timeout as error:
        raise ConfigError(f"{search.out} should be free for a moment", got=f"locked for {_WAIT_S} s") from error


def _lock(search: Search, number: int) -> BaseFileLock:
    from filelock import FileLock

    folder = search.out / TRIALS
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f".{number}.lock")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings that users cannot act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
