"""The penultimate activations of an integer network (by default the released DS-CNN), bit-exact as on a board.

    audio -> MFCC -> int8 -> the graph without its last layer -> uint8 [64] -> times its scale: float32

The weights are an integer graph (graph.npz). Its last layer is replaced by one that passes its input on (an identity
matrix), so that every engine runs it: the boards' C compiled for this computer, or the interpreter, by the same
integers. Vectors are therefore the same on every machine, and selections use the features of the device.
Any graph that ends in a linear layer works.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgekws import models
from edgekws.curate.embed.windows import centred, cover, times_ms
from edgekws.errors import ArtifactError
from edgekws.features import extract
from edgekws.graph import io
from edgekws.graph.ir import SIGNED, Graph, Node, Requant

RELEASED = Path("models/dscnn/graph.npz")
"""The released network: a file of the folder where edgekws is run, else the one that edgekws carries."""
HOP_MS = 40
_CHUNK = 64


class Model(nn.Module):
    """sample_rate and sizes follow from the graph."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.model_file_path = str(path)
        graph = body(io.load(path))
        self.spec, self.run = graph.front_end, graph.compile()
        self.zero, self.scale = SIGNED[0] if _is_unsigned(graph) else 0, np.float32(graph.score_scale)
        self.sample_rate = self.spec.rate_hz
        self.scene_embedding_size = self.timestamp_embedding_size = len(graph.labels)

    def clips(self, audio: np.ndarray) -> np.ndarray:
        """float32 [n, clip_samples] -> float32 [n, size]"""
        chunks = [audio[start : start + _CHUNK] for start in range(0, len(audio), _CHUNK)]
        scores = [self.run(extract.quantized(self.spec, extract.recorded(self.spec, chunk))) for chunk in chunks]
        steps = np.concatenate(scores).astype(np.int32) - self.zero
        return steps.astype(np.float32) * self.scale


def load_model(model_file_path: str = "") -> Model:
    """model_file_path: an integer graph, or a released model by its name; by default the released DS-CNN.

    Raises ArtifactError for another file.
    """
    return Model(models.find(Path(model_file_path) if model_file_path else RELEASED, models.GRAPH))


def get_scene_embeddings(audio: torch.Tensor, model: Model) -> torch.Tensor:
    """float32 [n, samples] -> float32 [n, size]; for longer clips the mean of half-overlapping windows."""
    size = model.spec.clip_samples
    windows = cover(audio, size, size // 2)
    return _of_windows(windows, model).mean(dim=1) if windows.shape[1] > 1 else _of_windows(windows, model)[:, 0]


def get_timestamp_embeddings(audio: torch.Tensor, model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """float32 [n, samples] -> float32 [n, t, size], of the second around each time, and float32 [n, t], times in ms."""
    hop = model.sample_rate * HOP_MS // 1_000
    windows = centred(audio, model.spec.clip_samples, hop)
    return _of_windows(windows, model), times_ms(audio, windows.shape[1], hop, 0.0, model.sample_rate)


def _of_windows(windows: torch.Tensor, model: Model) -> torch.Tensor:
    """[n, windows, samples] -> float32 [n, windows, size]"""
    count, each, samples = windows.shape
    vectors = model.clips(np.ascontiguousarray(windows.detach().cpu().numpy()).reshape(-1, samples))
    return torch.from_numpy(vectors.reshape(count, each, -1)).to(windows.device)


def body(graph: Graph) -> Graph:
    """The graph whose scores are the inputs of `graph`'s last layer, shifted to int8 where they are 0..255."""
    last = graph.nodes[-1]
    source = {node.name: node for node in graph.nodes}.get(last.inputs[0])
    if last.op != "linear" or source is None:
        raise ArtifactError("the network should end in a linear layer behind others", got=f"{last.op} {last.name}")
    size = int(np.prod(source.out_shape))
    offset = SIGNED[0] if source.requant.lo >= 0 else 0
    requant = Requant(
        np.full(size, offset, np.int32), np.ones(size, np.uint8), np.zeros(size, np.uint8), SIGNED[0], SIGNED[1]
    )
    passes = Node(
        "embedding", "linear", last.inputs, requant, source.out_shape, (1, 1, size),
        weight=np.eye(size, dtype=np.int8), out_scale=source.out_scale,
    )  # fmt: skip
    labels = tuple(f"{number}" for number in range(size))
    return replace(graph, nodes=(*graph.nodes[:-1], passes), labels=labels, name=f"{graph.name}-body")


def _is_unsigned(graph: Graph) -> bool:
    return bool(graph.nodes[-1].requant.offset.any())
