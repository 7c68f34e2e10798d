"""torch.nn.Module -> plain layers, by torch.fx. Each supported module or function has one small reader."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT, Op
from edgekws.quant.plain import Layer

SUPPORTED = (
    "Conv2d, Linear, BatchNorm2d, ReLU, MaxPool2d, AdaptiveAvgPool2d(1), mean over (2, 3), zero padding, additions, "
    "Flatten, Dropout, Identity"
)
_NO_PAD = (0, 0, 0, 0)
_EMPTY = torch.zeros(0)


@dataclass(frozen=True)
class _Value:
    """What a tensor of the traced module is to us: a layer's output, not yet padded, perhaps flattened."""

    source: str
    pad: tuple[int, int, int, int] = _NO_PAD
    flat: bool = False
    users: int = 1
    """how many operations read the layer's output"""


@torch.no_grad()
def trace(network: nn.Module) -> list[Layer]:
    """The layers of `network` in its order of execution, in eval mode.

    Raises TargetError that names the first operation which no Graph node can express.
    """
    try:
        traced = fx.symbolic_trace(network.eval())
    except Exception as error:  # whatever the user's forward raises when it meets a symbolic tensor
        hint = "a forward without branches on values can be traced"
        raise TargetError("the network should be traceable by torch.fx", got=str(error), hint=hint) from error
    reader = _Reader(dict(traced.named_modules()))
    for node in traced.graph.nodes:
        reader.read(node)
    return reader.layers


class _Reader:
    def __init__(self, modules: dict[str, nn.Module]) -> None:
        self.modules, self.layers = modules, list[Layer]()
        self.values: dict[fx.Node, _Value] = {}
        self.counts: Counter[str] = Counter()

    def read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            if self.values:
                raise TargetError("the network should have one input", got=f"another one, {node.name}")
            self.values[node] = _Value(INPUT, users=len(node.users))
        elif node.op == "output":
            self._check_output(node)
        elif node.target not in ("size", getattr):  # shapes matter only to reshape, which checks for itself
            operation, arguments = self._operation(node)
            value = operation(self, *arguments)
            self.values[node] = replace(value, users=len(node.users))

    def _operation(self, node: fx.Node) -> tuple[Callable[..., _Value], list[Any]]:
        sources = [self.values[source] for source in node.all_input_nodes if source in self.values]
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            for kind, reader in _MODULES.items():
                if isinstance(module, kind):
                    return reader, [sources[0], module, str(node.target)]
            raise _unsupported(str(node.target), type(module).__name__)
        found = _FUNCTIONS.get(node.target if callable(node.target) else str(node.target))
        if found is None or not sources:
            raise _unsupported(node.name, str(getattr(node.target, "__name__", node.target)))
        return found, [sources, node]

    def add(self, kind: Op, prefix: str, inputs: tuple[_Value, ...], **fields: object) -> _Value:
        """Append a layer, named by what it is and its number among those."""
        for value in inputs:
            if value.pad != _NO_PAD and kind not in ("conv2d", "depthwise_conv2d"):
                raise TargetError(f"{prefix}: only convolutions may follow zero padding", got=kind)
            if value.flat and kind != "linear":
                raise TargetError(f"{prefix}: only a linear layer may follow a flattening", got=kind)
        self.counts[prefix] += 1
        number = "" if prefix in ("pool", "fc") and self.counts[prefix] == 1 else str(self.counts[prefix])
        given: Any = {"weight": _EMPTY, "bias": _EMPTY, **fields}
        self.layers.append(Layer(f"{prefix}{number}", kind, tuple(v.source for v in inputs), **given))
        return _Value(self.layers[-1].name)

    def absorbing(self, value: _Value) -> Layer | None:
        """The layer that made `value`, when nobody else reads it, so that it may take the next operation in."""
        made = [layer for layer in self.layers if layer.name == value.source]
        return made[0] if made and value.users == 1 and value.pad == _NO_PAD else None

    def replace(self, layer: Layer, **changes: object) -> _Value:
        self.layers[self.layers.index(layer)] = replace(layer, **changes)  # type: ignore[arg-type]
        return _Value(layer.name)

    def _check_output(self, node: fx.Node) -> None:
        value = self.values.get(node.args[0]) if isinstance(node.args[0], fx.Node) else None
        if value is None or not self.layers or value.source != self.layers[-1].name:
            raise TargetError("the network should return the tensor of its last layer", got=str(node.args[0]))


def _unsupported(name: str, got: str) -> TargetError:
    return TargetError(f"{name} should be one of: {SUPPORTED}", got=got)


def _conv(reader: _Reader, x: _Value, module: nn.Conv2d, name: str) -> _Value:
    if module.dilation != (1, 1) or module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise TargetError(f"{name} should be a convolution without dilation, padded by numbers", got=str(module))
    depthwise = module.groups == module.in_channels == module.out_channels and module.groups > 1
    if module.groups != 1 and not depthwise:
        raise TargetError(f"{name} should have 1 group or be depthwise", got=f"{module.groups} groups")
    own = (module.padding[0], module.padding[0], module.padding[1], module.padding[1])
    top, bottom, left, right = (a + b for a, b in zip(x.pad, own, strict=True))
    return reader.add(
        "depthwise_conv2d" if depthwise else "conv2d",
        "dw" if depthwise else "pw" if module.kernel_size == (1, 1) else "conv",
        (x,),
        weight=module.weight.detach().clone(),
        bias=_bias(module.bias, module.out_channels),
        stride=(module.stride[0], module.stride[1]),
        pad=(top, bottom, left, right),
    )


def _linear(reader: _Reader, x: _Value, module: nn.Linear, name: str) -> _Value:
    if not x.flat:
        raise TargetError(f"{name} should follow a Flatten", got="a linear layer over the last axis")
    return reader.add(
        "linear", "fc", (x,), weight=module.weight.detach().clone(), bias=_bias(module.bias, module.out_features)
    )


def _bias(bias: torch.Tensor | None, channels: int) -> torch.Tensor:
    return torch.zeros(channels) if bias is None else bias.detach().clone()


def _batch_norm(reader: _Reader, x: _Value, module: nn.BatchNorm2d, name: str) -> _Value:
    """Folded into the layer before it; on its own (on the input, say) a `scale` layer."""
    if module.running_var is None or module.running_mean is None:
        raise TargetError(f"{name} should keep running statistics", got=str(module))
    gain, shift = torch.ones_like(module.running_var), torch.zeros_like(module.running_var)
    if module.affine:
        gain, shift = module.weight.detach().clone(), module.bias.detach().clone()
    gain = gain / torch.sqrt(module.running_var + module.eps)
    shift = shift - module.running_mean * gain
    layer = reader.absorbing(x)
    if layer is None or layer.relu or layer.kind not in ("conv2d", "depthwise_conv2d"):
        return reader.add("scale", "scale", (x,), weight=gain, bias=shift)
    weight = layer.weight * gain.view(-1, *([1] * (layer.weight.ndim - 1)))
    return reader.replace(layer, weight=weight, bias=layer.bias * gain + shift)


def _relu(reader: _Reader, x: _Value, name: str) -> _Value:
    layer = reader.absorbing(x)
    if layer is None or layer.kind in ("global_sum_pool", "max_pool"):
        wanted = (
            f"{name} should directly follow a convolution, linear, addition or normalization that nobody else reads"
        )
        raise TargetError(wanted, got=f"a ReLU after {x.source}")
    return replace(reader.replace(layer, relu=True), flat=x.flat)


def _max_pool(reader: _Reader, x: _Value, module: nn.MaxPool2d, name: str) -> _Value:
    window, stride = _pair(module.kernel_size), _pair(module.stride or module.kernel_size)
    if _pair(module.padding) != (0, 0) or _pair(module.dilation) != (1, 1) or module.ceil_mode:
        raise TargetError(f"{name} should pool without padding, dilation and ceil_mode", got=str(module))
    return reader.add("max_pool", "max", (x,), window=window, stride=stride)


def _global_pool(reader: _Reader, x: _Value, size: object, name: str) -> _Value:
    if _pair(size) != (1, 1):
        raise TargetError(f"{name} should average all positions into one", got=f"an average to {size}")
    return reader.add("global_sum_pool", "pool", (x,))


def _mean(reader: _Reader, sources: list[_Value], node: fx.Node) -> _Value:
    axes = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    found = {axis % 4 for axis in axes} if isinstance(axes, list | tuple) else axes
    if found != {2, 3}:
        raise TargetError(f"{node.name} should be a mean over axes (2, 3)", got=str(axes))
    keep = node.kwargs.get("keepdim", node.args[2] if len(node.args) > 2 else False)
    return replace(reader.add("global_sum_pool", "pool", (sources[0],)), flat=not keep)


def _add(reader: _Reader, sources: list[_Value], node: fx.Node) -> _Value:
    if len(sources) == 1 and len(node.all_input_nodes) == 1 and node.args[0] is node.args[1]:
        sources = sources * 2
    if len(sources) != 2 or node.kwargs.get("alpha", 1) != 1:
        raise TargetError(f"{node.name} should add two tensors of the network", got=str(node.args))
    return reader.add("add", "add", (sources[0], sources[1]))


def _pad(_: _Reader, sources: list[_Value], node: fx.Node) -> _Value:
    arguments: Any = dict(zip(("input", "pad", "mode", "value"), node.args, strict=False)) | dict(node.kwargs)
    sides, x = [*arguments["pad"], 0, 0, 0, 0][:4], sources[0]
    if arguments.get("mode", "constant") != "constant" or arguments.get("value") or min(sides) < 0:
        raise TargetError(f"{node.name} should pad with zeros", got=str(node.args[1:]))
    left, right, top, bottom = sides
    added = zip(x.pad, (top, bottom, left, right), strict=True)
    top, bottom, left, right = (a + b for a, b in added)
    return replace(x, pad=(top, bottom, left, right))


def _flatten(_: _Reader, sources: list[_Value], node: fx.Node) -> _Value:
    start = node.kwargs.get("start_dim", node.args[1] if len(node.args) > 1 else 0)
    if start != 1 or len(node.args) > 2:
        raise TargetError(f"{node.name} should flatten all axes but the first", got=str(node.args[1:]))
    return replace(sources[0], flat=True)


def _reshape(_: _Reader, sources: list[_Value], node: fx.Node) -> _Value:
    if len(node.args) != 3 or node.args[2] != -1:
        raise TargetError(f"{node.name} should flatten all axes but the first", got=str(node.args[1:]))
    return replace(sources[0], flat=True)


def _pair(value: object) -> tuple[int, int]:
    pair: Any = (value, value) if isinstance(value, int) else value
    return int(pair[0]), int(pair[1])


def _same(_: _Reader, x: _Value, *__: object) -> _Value:
    return x


_MODULES: dict[type[nn.Module], Callable[..., _Value]] = {
    nn.Conv2d: _conv,
    nn.Linear: _linear,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: lambda reader, x, module, name: _relu(reader, x, name),  # noqa: ARG005
    nn.MaxPool2d: _max_pool,
    nn.AdaptiveAvgPool2d: lambda reader, x, module, name: _global_pool(reader, x, module.output_size, name),
    nn.Flatten: lambda reader, x, module, name: replace(x, flat=True),  # noqa: ARG005
    nn.ZeroPad2d: lambda reader, x, module, name: replace(  # noqa: ARG005
        x, pad=(module.padding[2], module.padding[3], module.padding[0], module.padding[1])
    ),
    nn.Dropout: _same,
    nn.Dropout2d: _same,
    nn.Identity: _same,
}

_FUNCTIONS: dict[object, Callable[..., _Value]] = {
    functional.relu: lambda reader, sources, node: _relu(reader, sources[0], node.name),
    torch.relu: lambda reader, sources, node: _relu(reader, sources[0], node.name),
    "relu": lambda reader, sources, node: _relu(reader, sources[0], node.name),
    operator.add: _add,
    operator.iadd: _add,
    torch.add: _add,
    functional.pad: _pad,
    torch.flatten: _flatten,
    "flatten": _flatten,
    "reshape": _reshape,
    "view": _reshape,
    "mean": _mean,
    torch.mean: _mean,
    functional.dropout: lambda reader, sources, node: sources[0],  # noqa: ARG005
    functional.adaptive_avg_pool2d: lambda reader, sources, node: _global_pool(
        reader, sources[0], node.args[1] if len(node.args) > 1 else node.kwargs["output_size"], node.name
    ),
}
