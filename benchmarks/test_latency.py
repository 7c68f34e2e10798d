"""One clip, one thread, the released DS-CNN: our C, LiteRT and onnxruntime, each called from Python.

    pytest benchmarks/test_latency.py

The runtimes get their inputs in their own form and nothing is checked; ours is called as users call it. Rounds take
turns, so that a busy machine slows all three equally; `test_ours_is_fastest` compares the medians.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgekws.graph import io

MODEL = Path(__file__).resolve().parents[1] / "models" / "dscnn"
ROUNDS, CALLS = 300, 20
Call = Callable[[], object]


def ours(features: np.ndarray) -> Call:
    run = io.load(MODEL / "graph.npz").compile("c")
    return lambda: run(features)


def litert(features: np.ndarray, resolver: str = "BUILTIN") -> Call:
    """By default with XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    chosen = OpResolverType[resolver]
    path = str(MODEL / "model.tflite")
    interpreter = Interpreter(model_path=path, num_threads=1, experimental_op_resolver_type=chosen)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
    x = features.reshape(source["shape"])

    def call() -> object:
        interpreter.set_tensor(source["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(sink)

    return call


def onnxruntime(features: np.ndarray) -> Call:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(MODEL / "model.qdq.onnx"), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    inputs = {source.name: features.reshape(source.shape)}
    return lambda: session.run(None, inputs)


RUNTIMES = {
    "ours": ours,
    "litert-xnnpack": litert,
    "litert-builtin": partial(litert, resolver="BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
    "onnxruntime": onnxruntime,
}


@pytest.fixture(scope="module")
def calls() -> dict[str, Call]:
    features = np.load(MODEL / "golden.npz")["features"][:1]
    return {name: make(features) for name, make in RUNTIMES.items()}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_one_clip(benchmark, calls, runtime):
    benchmark.pedantic(calls[runtime], rounds=ROUNDS, iterations=CALLS, warmup_rounds=10)


def test_ours_is_fastest(calls):
    seconds = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            begin = time.perf_counter()
            for _ in range(CALLS):
                call()
            seconds[name].append((time.perf_counter() - begin) / CALLS)
    medians: dict[str, float] = {name: float(np.median(times)) * 1e6 for name, times in seconds.items()}
    print({name: f"{value:.1f} us, {value / medians['ours']:.2f} times ours" for name, value in medians.items()})
    assert min(medians, key=medians.__getitem__) == "ours", medians
