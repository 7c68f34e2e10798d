"""A released graph -> scores and every kind of file. Run it: python examples/released_graph.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import edgekws

MODEL = Path(__file__).resolve().parents[1] / "models" / "dscnn"


def main() -> None:
    graph = edgekws.load(MODEL / "graph.npz")
    golden = np.load(MODEL / "golden.npz")
    scores = graph.run(golden["features"])
    words = [graph.labels[number] for number in scores[:5].argmax(1)]
    print(f"the integers of the release: {np.array_equal(scores, golden['scores'])}; it hears {', '.join(words)}, ...")
    for kind in ("onnx-tinpu", "onnx-qdq", "tflite", "c"):
        files = edgekws.export(graph, kind)
        print(f"{kind}: {', '.join(f'{name} ({len(content)} bytes)' for name, content in files.items())}")


if __name__ == "__main__":
    main()
