"""The device that a training runs on, chosen by name."""

from __future__ import annotations

import os

import torch

from edgekws.errors import ConfigError, unknown

NAMES = ("auto", "cpu", "cuda", "mps")
_CUDA_HINT = (
    "install PyTorch's CUDA build (TORCH=cuda make setup; on Linux also pip install --force-reinstall torch), "
    "or give --device cpu"
)


def choose(name: str, number: int = 0) -> torch.device:
    """The device of this name; auto is a CUDA device if there is one, else the CPU.

    mps is chosen by name only, as its kernels are not deterministic. number: which CUDA device, of those that this
    process sees. Raises ConfigError for a device that is not known or not there.
    """
    if name not in NAMES:
        raise ConfigError(unknown("--device", name, NAMES), hint="a GPU of NVIDIA is cuda, one of Apple mps")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("--device mps needs a Mac with an Apple GPU", got="none", hint="give --device cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda needs a CUDA device and PyTorch's CUDA build", got=_missing(), hint=_hint())
    if name == "cuda" or (name == "auto" and torch.cuda.is_available()):
        return _cuda(number)
    return torch.device("mps" if name == "mps" else "cpu")


def _cuda(number: int) -> torch.device:
    devices = torch.cuda.device_count()
    if number >= devices:
        hint = f"give torchrun --nproc-per-node {devices}, or --device cpu"
        got = f"process {number + 1} of this computer, {devices} devices"
        raise ConfigError("each process needs a CUDA device of its own", got=got, hint=hint)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    return torch.device("cuda", number)


def _missing() -> str:
    build = f"PyTorch {torch.__version__}"
    return f"{build}, which sees no device" if torch.version.cuda else f"{build}, a build without CUDA"


def _hint() -> str:
    return "check the driver with nvidia-smi, or give --device cpu" if torch.version.cuda else _CUDA_HINT
