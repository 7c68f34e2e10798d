"""MLflow: the server that MLFLOW_TRACKING_URI names, else a database `mlflow.db` beside the checkpoints."""

from __future__ import annotations

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgekws.errors import MissingPackageError
from edgekws.training.trackers import Run

DATABASE, ARTIFACTS = "mlflow.db", "mlflow-artifacts"
EXPERIMENT, TAG = "edgekws", "edgekws.run"
"""The experiment, unless MLFLOW_EXPERIMENT_NAME names another; the tag by which a resumed run is found."""


class _Runs:
    def __init__(self, client: Any, run_id: str, last: int) -> None:  # noqa: ANN401 (an MlflowClient)
        self._client, self._id, self._last = client, run_id, last

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if step > self._last:  # a store would keep both values of a step
            self._send(step, values)

    def finish(self, values: Mapping[str, float], pictures: Mapping[str, bytes]) -> None:
        self._send(self._last, {f"final_{name}": value for name, value in values.items()})
        with tempfile.TemporaryDirectory() as folder:
            for name, content in pictures.items():
                path = Path(folder) / f"{name}.png"
                path.write_bytes(content)
                self._client.log_artifact(self._id, str(path))

    def _send(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        with _quiet():
            self._client.log_batch(self._id, [Metric(name, value, now, step) for name, value in values.items()])
        self._last = max(self._last, step)


@contextmanager
def start(run: Run) -> Iterator[_Runs]:
    """The run that is tagged with this id. Raises MissingPackageError without the package."""
    with _quiet():
        try:
            from mlflow import MlflowClient
        except ModuleNotFoundError as error:
            raise MissingPackageError("mlflow", "mlflow") from error
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(run.folder / DATABASE).resolve()}"
        client = MlflowClient(tracking_uri=uri)
        run_id = _run_id(client, run, uri)
        tracker = _Runs(client, run_id, _last_step(client, run_id))
    try:
        yield tracker
    except BaseException:
        _end(client, run_id, "KILLED")
        raise
    _end(client, run_id, "FINISHED")


def _run_id(client: Any, run: Run, uri: str) -> str:  # noqa: ANN401 (an MlflowClient)
    """The run that has this id as its tag, running again; else a new one."""
    from mlflow.entities import Param

    experiment = _experiment(client, run, uri)
    known = client.search_runs([experiment], filter_string=f"tags.`{TAG}` = '{run.id}'")
    if known:
        client.update_run(known[0].info.run_id, status="RUNNING")
        return str(known[0].info.run_id)
    created = client.create_run(experiment, run_name=run.name, tags={TAG: run.id})
    client.log_batch(created.info.run_id, params=[Param(key, str(value)) for key, value in run.config.items()])
    return str(created.info.run_id)


def _experiment(client: Any, run: Run, uri: str) -> str:  # noqa: ANN401 (an MlflowClient)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    if known := client.get_experiment_by_name(name):
        return str(known.experiment_id)
    beside = (run.folder / ARTIFACTS).resolve().as_uri() if uri.startswith("sqlite:") else None
    return str(client.create_experiment(name, artifact_location=beside))


def _last_step(client: Any, run_id: str) -> int:  # noqa: ANN401 (an MlflowClient)
    return max((metric.step for metric in client.get_metric_history(run_id, "loss")), default=0)


def _end(client: Any, run_id: str, status: str) -> None:  # noqa: ANN401 (an MlflowClient)
    with _quiet():
        client.set_terminated(run_id, status)


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings that users cannot act on, and no lines about the tables of a new database."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
