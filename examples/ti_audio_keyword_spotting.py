"""TI's audio keyword-spotting example with edgekws: from the folder of torchaudio to integers for the NPU.

Run it: python examples/ti_audio_keyword_spotting.py --root FOLDER [--out FOLDER] [--method qat|ptq] [--bits 8|4|2]
It needs torchaudio: pip install 'edgekws[torchaudio]'.

FOLDER is where torchaudio.datasets.SPEECHCOMMANDS keeps its data (FOLDER/SpeechCommands/speech_commands_v0.02/...);
--download fetches it. The eight steps are those of TI's example: loaders, split, network, training, float ONNX,
quantization, integers, and the accuracy of the exported file. --quick does all of them with few recordings.
"""

from __future__ import annotations

import argparse
import sys
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import edgekws
from edgekws.data import audio
from edgekws.features.mfcc import mfcc, to_network
from edgekws.features.spec import INPUT_SCALE, FeatureSpec

KEYWORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
LABELS = (*KEYWORDS, "_silence_", "_unknown_")
SUBSETS = {"training": "train", "validation": "validation", "testing": "test"}


@dataclass
class Clips:
    """The MFCC of some recordings, float32 [n, frames, coefficients], and their labels, int64 [n]."""

    features: np.ndarray
    labels: np.ndarray


def speech_commands(root: Path, subset: str, download: bool) -> torch.utils.data.Dataset[object]:
    """torchaudio's data set. Only its lists are used; edgekws decodes the files, which needs no torchcodec."""
    try:
        import torchaudio
    except OSError:  # the wheel on PyPI has a native part for CUDA, which a CPU build of torch cannot load
        for name in [name for name in sys.modules if name.startswith("torchaudio")]:
            del sys.modules[name]
        native = types.ModuleType("torchaudio._extension")
        native.__path__ = []
        native.__dict__.update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False)
        native.__dict__.update(fail_if_no_align=lambda function: function, _check_cuda_version=lambda: None)
        sys.modules["torchaudio._extension"] = native
        import torchaudio
    return torchaudio.datasets.SPEECHCOMMANDS(root, download=download, subset=subset)


def takes(root: Path, subset: str, download: bool, limit: int) -> Iterator[tuple[Path, str]]:
    """(file, label) of each recording; with a limit, at most so many of a keyword and a quarter of that of others."""
    dataset, seen = speech_commands(root, subset, download), dict[str, int]()
    for number in range(len(dataset)):  # type: ignore[arg-type]
        name, _, word, *_ = dataset.get_metadata(number)  # type: ignore[attr-defined]
        seen[word] = seen.get(word, 0) + 1
        if not limit or seen[word] <= (limit if word in KEYWORDS else limit // 4):
            yield root / "SpeechCommands" / name, word if word in KEYWORDS else "_unknown_"


def clips_of(root: Path, subset: str, spec: FeatureSpec, options: argparse.Namespace) -> Clips:
    """Steps 1 and 2: the recordings of one subset, one second each, and as much silence as there is of a word.

    torchaudio's lists are the official ones: 80, 10 and 10 % by speaker. The test set is balanced: as many unknown
    words as there are clips of a keyword.
    """
    found = sorted(takes(root, subset, options.download, options.limit))
    most = sum(label != "_unknown_" for _, label in found) // len(KEYWORDS)
    if subset == "testing":
        unknown = [take for take in found if take[1] == "_unknown_"]
        kept = np.random.default_rng(0).permutation(len(unknown))[:most]
        found = [take for take in found if take[1] != "_unknown_"] + [unknown[index] for index in sorted(kept)]
    samples = [fitted(audio.read(path, spec.rate_hz), spec.clip_samples) for path, _ in found]
    silence = list(quiet(root, subset, spec, most))
    labels = [LABELS.index(label) for _, label in found] + [LABELS.index("_silence_")] * len(silence)
    print(f"{SUBSETS[subset]}: {len(found)} recordings and {len(silence)} clips of noise")
    blocks = np.array_split(np.stack(samples + silence), max(1, len(labels) // 512))
    return Clips(np.concatenate([mfcc(spec, block) for block in blocks]), np.array(labels))


def fitted(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut or padded with zeros to `length`."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def quiet(root: Path, subset: str, spec: FeatureSpec, count: int) -> Iterator[np.ndarray]:
    """Windows of the background noises at random places and levels; the last noise is not trained on."""
    paths = sorted((root / "SpeechCommands" / "speech_commands_v0.02" / "_background_noise_").glob("*.wav"))
    noises = [audio.read(path, spec.rate_hz) for path in (paths[:-1] if subset == "training" else paths[-1:])]
    rng = np.random.default_rng(list(SUBSETS).index(subset))
    for _ in range(count if noises else 0):
        noise = noises[rng.integers(len(noises))]
        start = rng.integers(len(noise) - spec.clip_samples)
        yield (noise[start : start + spec.clip_samples] * rng.uniform(0, 1)).astype(np.int16)


def loader(clips: Clips, spec: FeatureSpec, shuffle: bool = False) -> DataLoader[tuple[torch.Tensor, ...]]:
    """Batches of network inputs, float32 [n, 1, frames, coefficients], and labels."""
    inputs = torch.from_numpy(to_network(spec, clips.features) * np.float32(INPUT_SCALE))[:, None]
    batch = 100 if len(inputs) > 10_000 else 20
    return DataLoader(TensorDataset(inputs, torch.from_numpy(clips.labels)), batch, shuffle)


def dscnn(channels: int = 64, blocks: int = 4) -> nn.Sequential:
    """Step 3: the DS-CNN of MLPerf Tiny (Zhang et al., arXiv 1711.07128), padded as TensorFlow pads it."""

    def layer(*convolution: nn.Module) -> list[nn.Module]:
        return [*convolution, nn.BatchNorm2d(channels), nn.ReLU()]

    layers = layer(nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, channels, (10, 4), stride=2, bias=False))
    for _ in range(blocks):
        layers += layer(nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False))
        layers += layer(nn.Conv2d(channels, channels, 1, bias=False))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, len(LABELS)))


def train(model: nn.Module, batches: DataLoader[tuple[torch.Tensor, ...]], epochs: int, rate: float) -> None:
    """Step 4, and again for the integers: SGD with a cosine, the same loop for both."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(batches))
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for number, (x, y) in enumerate(batches):
            if isinstance(model, edgekws.QuantNet):
                model.before_step((epoch + number / len(batches)) / epochs)
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            schedule.step()
            if isinstance(model, edgekws.QuantNet):
                model.after_step()
            total += loss.item()
        print(f"  epoch {epoch + 1} of {epochs}: loss {total / len(batches):.3f}")
    model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, batches: DataLoader[tuple[torch.Tensor, ...]]) -> str:
    """The share of right answers in eval mode, in which a quantized network computes the integers of the device."""
    hits = [(model(x).argmax(1) == y) for x, y in batches]
    right = torch.cat(hits)
    return f"{right.float().mean():.1%} of {len(right)}"


def export(model: edgekws.QuantNet, spec: FeatureSpec, test: Clips, out: Path) -> None:
    """Steps 7 and 8: integers, quant_kws.onnx, and what ONNX Runtime makes of that file."""
    import onnxruntime

    from edgekws.features.mfcc import quantize

    graph = edgekws.lower(model, LABELS, spec, "kws")
    for content in edgekws.export(graph, "onnx-tinpu").values():
        (out / "quant_kws.onnx").write_bytes(content)
    features = quantize(spec, test.features)
    session = onnxruntime.InferenceSession(str(out / "quant_kws.onnx"))
    (name,) = [each.name for each in session.get_inputs()]
    scores = np.concatenate([session.run(None, {name: clip[None, None].astype(np.float32)})[0] for clip in features])
    hits = scores.reshape(len(features), -1).argmax(1) == test.labels
    differing = int((scores.reshape(len(features), -1) != graph.run(features)).sum())
    print(f"quant_kws.onnx in ONNX Runtime: {hits.mean():.1%} of {len(hits)}")
    print(f"scores that differ from the integer graph: {differing} of {scores.size}")


def main(options: argparse.Namespace) -> None:
    torch.manual_seed(0)
    options.out.mkdir(parents=True, exist_ok=True)
    spec = FeatureSpec()
    clips = {subset: clips_of(options.root, subset, spec, options) for subset in SUBSETS}
    rows = clips["training"].features.reshape(-1, spec.coefficients)
    spec = spec.with_statistics(rows.mean(0), rows.std(0))
    batches = {subset: loader(each, spec, subset == "training") for subset, each in clips.items()}

    network = dscnn()
    train(network, batches["training"], options.epochs, rate=0.1)
    print(f"float: validation {accuracy(network, batches['validation'])}, test {accuracy(network, batches['testing'])}")

    example = next(iter(batches["validation"]))[0][:1]
    with warnings.catch_warnings():  # this exporter warns of its age; the newer one needs onnxscript
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (example,), str(options.out / "kws.onnx"), dynamo=False)  # step 5

    calibration = torch.cat([x for x, _ in batches["training"]])[:500]
    quantized = edgekws.prepare(  # step 6: wrapping for QAT or PTQ
        network, "tinpu", options.bits, calibration, {"fc": 8}, features=spec, method=options.method
    )
    if options.method == "qat":
        train(quantized, batches["training"], max(1, options.epochs // 3), rate=0.005)
    print(f"quantized, {options.bits} bits: test {accuracy(quantized, batches['testing'])}")
    export(quantized, spec, clips["testing"], options.out)
    print(f"written: {options.out / 'kws.onnx'}, {options.out / 'quant_kws.onnx'}")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, required=True, help="the folder that torchaudio was given")
    parser.add_argument("--download", action="store_true", help="fetch Speech Commands, 2.3 GB, if it is not there")
    parser.add_argument("--out", type=Path, default=Path("work/ti_kws"), help="where the ONNX files go")
    parser.add_argument("--method", choices=("qat", "ptq"), default="qat")
    parser.add_argument("--bits", type=int, choices=(8, 4, 2), default=8, help="of the weights; the last layer has 8")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--limit", type=int, default=0, help="recordings of a word in each subset; 0: all")
    parser.add_argument("--quick", action="store_true", help="5 epochs of 60 recordings of a word")
    options = parser.parse_args()
    if options.quick:
        options.epochs, options.limit = min(options.epochs, 5), options.limit or 60
    return options


if __name__ == "__main__":
    main(parsed())
