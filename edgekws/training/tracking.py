"""Several trackers as one. None can stop a training, and each gets every epoch once, also over interruptions.

FOLDER/tracking.json    kind, version; id: of the run; logged: tracker -> the last epoch that it got
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from edgekws import plugins
from edgekws.errors import ConfigError
from edgekws.files import fields, read_json, write_json
from edgekws.training.trackers import Run, Tracker, tensorboard

FILE, KIND, VERSION = "tracking.json", "edgekws-tracking", 1
_KINDS = {"id": fields.TEXT, "logged": fields.OBJECT}
NONE = "none"
Rows = Sequence[Mapping[str, float]]
"""The values of each epoch so far, in order, as in log.csv; `epoch` counts from 1."""


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """The trackers of these names; by default TensorBoard when it is installed; none for "none".

    Raises ConfigError for a name that is not known, and for "none" beside others.
    """
    if names is None:
        return ("tensorboard",) if tensorboard.installed() else ()
    if NONE not in names:
        return tuple(dict.fromkeys(plugins.find("trackers", name).name for name in names))
    if len(set(names)) > 1:
        raise ConfigError(f"--tracker {NONE} should stand alone", got=" ".join(names), hint="omit one of them")
    return ()


class Tracking:
    """The trackers of one run that still work."""

    def __init__(self, state: Path, run_id: str, logged: dict[str, int]) -> None:
        self._state, self._id, self._logged = state, run_id, logged
        self._trackers: dict[str, Tracker] = {}

    def add(self, name: str, tracker: Tracker) -> None:
        self._trackers[name] = tracker

    def logged(self, name: str) -> int:
        """The last epoch that this tracker got; 0 for none."""
        return self._logged.get(name, 0)

    def log(self, rows: Rows) -> None:
        """Give each tracker the epochs that it has not got."""
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, partial(self._catch_up, name, tracker, rows))
        if self._logged:
            write_json(self._state, {"kind": KIND, "version": VERSION, "id": self._id, "logged": self._logged})

    def finish(self, values: Mapping[str, float], pictures: Mapping[str, bytes]) -> None:
        """Give each tracker the figures and pictures (PNG) of the finished training."""
        for name, tracker in list(self._trackers.items()):
            self._guarded(name, partial(tracker.finish, values, pictures))

    def _catch_up(self, name: str, tracker: Tracker, rows: Rows) -> None:
        for row in rows:
            step = int(row["epoch"])
            if step > self.logged(name):
                tracker.log(step, {key: value for key, value in row.items() if key != "epoch"})
                self._logged[name] = step

    def _guarded(self, name: str, call: Callable[[], None]) -> None:
        """Run `call`; a tracker that raises is off from then on, and a warning says so."""
        try:
            call()
        except (Exception, SystemExit) as error:
            self._trackers.pop(name, None)
            _warn(name, error)


@contextmanager
def started(
    names: Sequence[str], run: str, folder: Path, config: Mapping[str, object], done: int
) -> Iterator[Tracking]:
    """The trackers of the training in `folder`, which has `done` epochs behind it; closed at the end of the block.

    Raises ConfigError for a tracker that is not known or that misses its package. One that cannot start for another
    reason, such as a server that does not answer, is left out with a warning.
    """
    run_id, logged = _state(folder / FILE, done)
    tracking = Tracking(folder / FILE, run_id, {name: min(step, done) for name, step in logged.items()})
    with ExitStack() as stack:
        for name in names:
            context = plugins.load("trackers", name).start(Run(run, run_id, folder, config, tracking.logged(name)))
            try:
                tracking.add(name, context.__enter__())
            except ConfigError:
                raise
            except (Exception, SystemExit) as error:
                _warn(name, error)
            else:
                stack.push(_closing(name, context))
        yield tracking


def _state(path: Path, done: int) -> tuple[str, dict[str, int]]:
    """(id of the run, tracker -> last epoch); a training that begins again is another run."""
    if not done or not path.exists():
        return secrets.token_hex(8), {}
    state = read_json(path, KIND, VERSION)
    fields.require(str(path), {"id": state.get("id"), "logged": state.get("logged")}, _KINDS)
    return state["id"], dict(state["logged"])


def _closing(name: str, context: AbstractContextManager[Tracker]) -> Callable[..., bool]:
    """The end of a `with` block of this tracker, which raises nothing of its own."""

    def close(*exception: Any) -> bool:  # noqa: ANN401 (as __exit__ takes them)
        try:
            context.__exit__(*exception)
        except (Exception, SystemExit) as error:
            if error is not exception[1]:
                _warn(name, error)
        return False

    return close


def _warn(name: str, error: BaseException) -> None:
    told = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
    warnings.warn(f"the tracker {name} is off from now on, the training goes on: {told}", UserWarning, stacklevel=2)
