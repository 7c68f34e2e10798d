"""torch.nn.Module -> float layers, by torch.fx. Each supported module or function has one small reader."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from edgekws.errors import TargetError
from edgekws.graph.ir import INPUT
from edgekws.quant.float_layers import Layer
from edgekws.quant.frontends.assemble import Assembler, Sides, Value, batch_norm, float32

SUPPORTED = (
    "Conv2d, Linear, BatchNorm2d, BatchNorm1d after Linear, ReLU, MaxPool2d, AdaptiveAvgPool2d(1), mean over (2, 3), "
    "zero padding, additions, Flatten, Dropout, Identity"
)
_SHAPE_NAMES = ("shape", "ndim")


@torch.no_grad()
def trace(network: nn.Module) -> list[Layer]:
    """The layers of `network` in its order of execution, as in eval mode; weights are copied, float32 on the CPU.

    Raises TargetError that names the first operation that no Graph node can express.
    """
    with evaluating(network):
        try:
            traced = fx.symbolic_trace(network)
        except Exception as error:  # a forward may raise anything when it is given a symbolic tensor
            hint = "write the forward without branches or loops that depend on values"
            raise TargetError("the network should be traceable by torch.fx", got=str(error), hint=hint) from error
    traced.graph.eliminate_dead_code()
    reader = _Reader(traced)
    for node in traced.graph.nodes:
        reader.read(node)
    return reader.finished()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode within the block; each module then returns to its own mode: some may be frozen while others train."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


class _Reader:
    def __init__(self, traced: fx.GraphModule) -> None:
        self.modules, self.assembler = dict(traced.named_modules()), Assembler()
        self.owner = traced
        self.values: dict[fx.Node, Value] = {}
        self.tensors: dict[fx.Node, torch.Tensor] = {}
        self.sizes: set[fx.Node] = set()
        """nodes that hold shapes, not tensors; only reshape uses them, and checks them itself"""
        self.output: fx.Node | None = None

    def read(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self._read_input(node)
        elif node.op == "get_attr":
            self.tensors[node] = float32(operator.attrgetter(str(node.target))(self.owner))
        elif node.op == "output":
            self.output = node
        elif self._is_size(node):
            self.sizes.add(node)
        else:
            value = self._operation(node)
            users = sum(not _reads_size(user) for user in node.users)
            self.values[node] = replace(value, users=max(value.users, users))

    def finished(self) -> list[Layer]:
        assert self.output is not None
        returned = self.output.args[0]
        value = self.values.get(returned) if isinstance(returned, fx.Node) else None
        return self.assembler.finished(value, str(returned))

    def _read_input(self, node: fx.Node) -> None:
        if self.values:
            raise TargetError("the network should have one input", got=f"another one, {node.name}")
        self.values[node] = Value(INPUT, users=len(node.users))

    def _is_size(self, node: fx.Node) -> bool:
        sources = node.all_input_nodes
        return _reads_size(node) or (bool(sources) and all(source in self.sizes for source in sources))

    def _operation(self, node: fx.Node) -> Value:
        sources = [self.values[source] for source in node.all_input_nodes if source in self.values]
        if node.op == "call_module":
            name, module = str(node.target), self.modules[str(node.target)]
            for kind, read_module in _MODULES.items():
                if isinstance(module, kind) and len(sources) == 1:
                    return read_module(self.assembler, sources[0], module, name)
            raise _unsupported(name, type(module).__name__)
        read_function = _FUNCTIONS.get(node.target if callable(node.target) else str(node.target))
        if read_function is None or not sources:
            raise _unsupported(node.name, str(getattr(node.target, "__name__", node.target)))
        return read_function(self, sources, node)


def _reads_size(node: fx.Node) -> bool:
    if node.op == "call_function" and node.target is getattr:
        return node.args[1] in _SHAPE_NAMES
    return node.op == "call_method" and node.target in ("size", "dim")


def _unsupported(name: str, got: str) -> TargetError:
    return TargetError(f"{name} should be one of: {SUPPORTED}", got=got)


def _conv_module(assembler: Assembler, x: Value, module: nn.Conv2d, name: str) -> Value:
    if module.padding_mode != "zeros":
        raise TargetError(f"{name} should be padded with zeros", got=module.padding_mode)
    given = (module.stride, module.padding, module.dilation, module.groups)
    return _conv(assembler, x, float32(module.weight), _copied(module.bias), given, name)


def _conv(
    assembler: Assembler, x: Value, weight: torch.Tensor, bias: torch.Tensor | None, given: tuple[Any, ...], name: str
) -> Value:
    """given: (stride, padding, dilation, groups) as torch takes them."""
    stride, padding, dilation, groups = given
    if _pair(dilation) != (1, 1):
        raise TargetError(f"{name} should be a convolution without dilation", got=f"a dilation of {dilation}")
    pad = _own_padding(padding, (weight.shape[2], weight.shape[3]))
    return assembler.conv(x, weight, bias, _pair(stride), pad, int(groups), name)


def _own_padding(padding: object, kernel: tuple[int, int]) -> Sides:
    """torch's "same" allows strides of 1 only; with an even kernel the extra zeros go below and to the right."""
    if padding == "same":
        rows, columns = kernel[0] - 1, kernel[1] - 1
        return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2
    vertical, horizontal = (0, 0) if padding == "valid" else _pair(padding)
    return vertical, vertical, horizontal, horizontal


def _copied(values: torch.Tensor | None) -> torch.Tensor | None:
    return None if values is None else float32(values)


def _linear_module(assembler: Assembler, x: Value, module: nn.Linear, name: str) -> Value:
    return assembler.linear(x, float32(module.weight), _copied(module.bias), name)


def _batch_norm_module(assembler: Assembler, x: Value, module: nn.BatchNorm2d | nn.BatchNorm1d, name: str) -> Value:
    if module.running_var is None or module.running_mean is None:
        raise TargetError(f"{name} should keep running statistics", got=str(module))
    statistics = float32(module.running_mean), float32(module.running_var)
    gain, shift = batch_norm(_copied(module.weight), _copied(module.bias), *statistics, module.eps)
    return assembler.normalize(x, gain, shift, name)


def _max_pool_module(assembler: Assembler, x: Value, module: nn.MaxPool2d, name: str) -> Value:
    given = (module.kernel_size, module.stride, module.padding, module.dilation, module.ceil_mode)
    return _max_pool(assembler, x, given, name)


def _max_pool(assembler: Assembler, x: Value, given: tuple[Any, ...], name: str) -> Value:
    """given: (kernel_size, stride, padding, dilation, ceil_mode) as torch takes them."""
    kernel, stride, padding, dilation, ceil_mode = given
    if _pair(padding) != (0, 0) or _pair(dilation) != (1, 1) or ceil_mode:
        got = f"padding {padding}, dilation {dilation}, ceil_mode {ceil_mode}"
        raise TargetError(f"{name} should pool without padding, dilation and ceil_mode", got=got)
    window = _pair(kernel)
    return assembler.max_pool(x, window, _pair(stride) if stride else window, name)


def _global_pool(assembler: Assembler, x: Value, size: object, name: str) -> Value:
    if size not in (1, (1, 1), [1, 1]):
        raise TargetError(f"{name} should average all positions into one", got=f"an average to {size}")
    return assembler.mean(x, name, keep=True)


def _flatten_module(_: Assembler, x: Value, module: nn.Flatten, name: str) -> Value:
    return _flattened(x, module.start_dim, module.end_dim, name)


def _flattened(x: Value, start: object, end: object, name: str) -> Value:
    if start != 1 or end not in (-1, 3):
        raise TargetError(f"{name} should flatten all axes but the first", got=f"axes {start} to {end}")
    return replace(x, flat=True)


def _pad_module(_: Assembler, x: Value, module: nn.ConstantPad2d, name: str) -> Value:
    if module.value:
        raise TargetError(f"{name} should pad with zeros", got=str(module.value))
    left, right, top, bottom = module.padding
    return x.padded((top, bottom, left, right), name)


def _arguments(node: fx.Node, *names: str, **defaults: object) -> list[Any]:
    """The values of a call's arguments after the tensor, by position or by name."""
    given = dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs)
    missing = [name for name in names if name not in given and name not in defaults]
    if missing or len(node.args) > len(names) + 1:
        raise TargetError(f"{node.name} should be called with {', '.join(names)}", got=f"{node.args} {node.kwargs}")
    return [given.get(name, defaults.get(name)) for name in names]


def _conv_function(reader: _Reader, sources: list[Value], node: fx.Node) -> Value:
    defaults = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    weight, bias, *given = _arguments(node, "weight", *defaults, **defaults)
    return _conv(reader.assembler, sources[0], *_parameters(reader, node, weight, bias), tuple(given), node.name)


def _linear_function(reader: _Reader, sources: list[Value], node: fx.Node) -> Value:
    weight, bias = _arguments(node, "weight", "bias", bias=None)
    return reader.assembler.linear(sources[0], *_parameters(reader, node, weight, bias), node.name)


def _parameters(
    reader: _Reader, node: fx.Node, weight: object, bias: object
) -> tuple[torch.Tensor, torch.Tensor | None]:
    tensors = [reader.tensors.get(each) if isinstance(each, fx.Node) else None for each in (weight, bias)]
    if tensors[0] is None or (bias is not None and tensors[1] is None):
        raise TargetError(f"{node.name} should use parameters of the network", got="a weight or bias that is computed")
    return tensors[0], tensors[1]


def _relu(reader: _Reader, sources: list[Value], node: fx.Node) -> Value:
    return reader.assembler.relu(sources[0], node.name)


def _max_pool_function(reader: _Reader, sources: list[Value], node: fx.Node) -> Value:
    defaults = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}
    given = _arguments(node, "kernel_size", *defaults, **defaults)
    return _max_pool(reader.assembler, sources[0], tuple(given), node.name)


def _pool_function(reader: _Reader, sources: list[Value], node: fx.Node) -> Value:
    return _global_pool(reader.assembler, sources[0], _arguments(node, "output_size")[0], node.name)


def _mean(reader: _Reader, sources: list[Value], node: fx.Node) -> Value:
    axes, keep = _arguments(node, "dim", "keepdim", dim=None, keepdim=False)
    positions = {axis % 4 for axis in axes} if isinstance(axes, list | tuple) else axes
    if positions != {2, 3}:
        raise TargetError(f"{node.name} should be a mean over axes (2, 3)", got=str(axes))
    return reader.assembler.mean(sources[0], node.name, keep=bool(keep))


def _add(reader: _Reader, sources: list[Value], node: fx.Node) -> Value:
    if len(node.all_input_nodes) == 1 and node.args[0] is node.args[1]:
        sources = sources * 2
    if len(sources) != 2 or node.kwargs.get("alpha", 1) != 1:
        raise TargetError(f"{node.name} should add two tensors of the network", got=str(node.args))
    return reader.assembler.add(sources[0], sources[1], node.name)


def _pad(_: _Reader, sources: list[Value], node: fx.Node) -> Value:
    sides, mode, value = _arguments(node, "pad", "mode", "value", mode="constant", value=None)
    all_sides: list[int] = [*sides, 0, 0]
    left, right, top, bottom, *others = all_sides
    if mode != "constant" or value or any(others):
        raise TargetError(f"{node.name} should pad rows and columns with zeros", got=f"{sides}, {mode}, {value}")
    return sources[0].padded((top, bottom, left, right), node.name)


def _flatten(_: _Reader, sources: list[Value], node: fx.Node) -> Value:
    start, end = _arguments(node, "start_dim", "end_dim", start_dim=0, end_dim=-1)
    return _flattened(sources[0], start, end, node.name)


def _reshape(reader: _Reader, sources: list[Value], node: fx.Node) -> Value:
    """To (n, anything): a count other than the layer's size is refused when the linear layer runs."""
    given: Any = node.kwargs.get("shape", node.args[1:])
    shape = given[0] if len(given) == 1 and isinstance(given[0], list | tuple) else given
    batch_is_kept = len(shape) == 2 and (shape[0] in reader.sizes if isinstance(shape[0], fx.Node) else shape[0] == -1)
    if not batch_is_kept:
        raise TargetError(f"{node.name} should flatten all axes but the first", got=f"a reshape to {tuple(shape)}")
    return replace(sources[0], flat=True)


def _unchanged_module(_: Assembler, x: Value, *__: object) -> Value:
    return x


def _unchanged(_: _Reader, sources: list[Value], __: fx.Node) -> Value:
    return sources[0]


def _pair(value: object) -> tuple[int, int]:
    pair: Any = (value, value) if isinstance(value, int) else value
    return int(pair[0]), int(pair[-1])


_MODULES: dict[type[nn.Module], Callable[[Assembler, Value, Any, str], Value]] = {
    nn.Conv2d: _conv_module,
    nn.Linear: _linear_module,
    nn.BatchNorm2d: _batch_norm_module,
    nn.BatchNorm1d: _batch_norm_module,
    nn.ReLU: lambda assembler, x, _, name: assembler.relu(x, name),
    nn.MaxPool2d: _max_pool_module,
    nn.AdaptiveAvgPool2d: lambda assembler, x, module, name: _global_pool(assembler, x, module.output_size, name),
    nn.Flatten: _flatten_module,
    nn.ConstantPad2d: _pad_module,
    nn.Dropout: _unchanged_module,
    nn.Dropout2d: _unchanged_module,
    nn.Identity: _unchanged_module,
}

_FUNCTIONS: dict[object, Callable[[_Reader, list[Value], fx.Node], Value]] = {
    functional.conv2d: _conv_function,
    torch.conv2d: _conv_function,
    functional.linear: _linear_function,
    functional.relu: _relu,
    functional.relu_: _relu,
    torch.relu: _relu,
    torch.relu_: _relu,
    "relu": _relu,
    "relu_": _relu,
    functional.max_pool2d: _max_pool_function,
    torch.max_pool2d: _max_pool_function,
    operator.add: _add,
    operator.iadd: _add,
    torch.add: _add,
    "add": _add,
    "add_": _add,
    functional.pad: _pad,
    torch.flatten: _flatten,
    "flatten": _flatten,
    torch.reshape: _reshape,
    "reshape": _reshape,
    "view": _reshape,
    "mean": _mean,
    torch.mean: _mean,
    functional.dropout: _unchanged,
    functional.dropout2d: _unchanged,
    "contiguous": _unchanged,
    functional.adaptive_avg_pool2d: _pool_function,
}
