"""The device of a training: chosen by name, refused in one paragraph."""

import pytest
import torch

from edgekws.errors import ConfigError
from edgekws.training import device


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose("auto") == device.choose("cpu") == torch.device("cpu")


def test_auto_is_a_cuda_device_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device.choose("auto", 1) == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match="--nproc-per-node 2"):
        device.choose("cuda", 2)


def test_a_cpu_build_says_how_to_get_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ConfigError, match=r"a build without CUDA\. What to do: .*TORCH=cuda make setup"):
        device.choose("cuda")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with pytest.raises(ConfigError, match="nvidia-smi"):
        device.choose("cuda")


def test_a_device_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="did you mean cuda"):
        device.choose("cude")
