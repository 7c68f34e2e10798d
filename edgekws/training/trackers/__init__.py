"""Trackers: where the values of a training run go while it runs, one module for each service or file format.

A module has one function

    start(run: str, config: Mapping[str, object]) -> ContextManager[Tracker]

run: the name of the run; config: its recipe. A Tracker has one method

    log(step: int, values: Mapping[str, float]) -> None

which returns soon and never stops a training. `start` raises ConfigError with the line that installs what is missing.
"""
