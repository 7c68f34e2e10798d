"""A network run over more rows than a clip has: each window of its global pool is an example."""

from __future__ import annotations

import torch
from torch import nn

from edgekws.errors import ConfigError
from edgekws.training.layers import Pooling

_LONGEST_STEP = 64
_TOLERANCE = 1e-5
_HINT = "give net.options stream = true, or omit [stream]"


@torch.no_grad()
def slide(network: nn.Module, shape: tuple[int, int]) -> int:
    """Let `network` give scores for every step of longer inputs, [n * steps, labels]; return the rows of a step.

    shape: (rows, coefficients) of a clip, which still gets one row of scores. Raises ConfigError for a network with
    padding in time, or without a global average.
    """
    was_training = network.training
    network.eval()
    clip = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(0))
    expected = network(clip)
    for pool, rows in _pool_rows(network, clip).items():
        pool.rows = rows
    more = torch.cat([clip, torch.zeros(1, 1, _LONGEST_STEP, shape[1])], 2)
    step = next((n for n in range(1, _LONGEST_STEP) if len(network(more[:, :, : shape[0] + n])) == 2), 0)
    if not step or _differ(network(more[:, :, : shape[0] + step])[0], expected[0]):
        got = "padding in time, or no global average"
        raise ConfigError("a network trained on streams should compute each row once", got=got, hint=_HINT)
    network.train(was_training)
    return step


def _differ(scores: torch.Tensor, expected: torch.Tensor) -> bool:
    """By more than float32 sums in another order do."""
    return bool((scores - expected).abs().max() > _TOLERANCE * (1 + expected.abs().max()))


def _pool_rows(network: nn.Module, clip: torch.Tensor) -> dict[Pooling, int]:
    found: dict[Pooling, int] = {}

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(module, Pooling)
        found[module] = inputs[0].shape[2]

    pools = [module for module in network.modules() if isinstance(module, Pooling) and module.is_pool]
    hooks = [pool.register_forward_pre_hook(note) for pool in pools if isinstance(pool, nn.Module)]
    network(clip)
    for hook in hooks:
        hook.remove()
    return found
