"""Random TFLite models of all operators that can be imported, and what LiteRT's reference kernels give for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import OpResolverType

from edgekws.importers.tflite import runtimes, scales
from tests.importers.tflite_writer import Quant, Writer


def reference(content: bytes, inputs: np.ndarray) -> np.ndarray:
    """What LiteRT's reference kernels give: int8 [n, ...] -> int8 [n, scores]."""
    return runtimes.executor(content, OpResolverType.BUILTIN_REF)(inputs)


@dataclass
class Random(Writer):
    """Draws operators; `value` is the tensor that the next one reads."""

    value: int = -1

    def start(self, shape: Sequence[int]) -> None:
        self.value = self.activation(shape, self.any_quant())

    def any_quant(self, low: float = 0.01, high: float = 0.2) -> Quant:
        zero = int(self.rng.choice([-128, -128, 0, int(self.rng.integers(-128, 128))]))
        return float(np.float32(np.exp(self.rng.uniform(math.log(low), math.log(high))))), zero

    def choice(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def activation_function(self, quant: Quant) -> int:
        """A fused activation that leaves a few integers at least."""
        fits = []
        for number in (0, 0, 1, 1, 2, 3):
            lo, hi = scales.activation_range(number, np.float32(quant[0]), quant[1])
            fits += [number] * (hi - lo > 8)
        return int(self.choice(*fits))

    def out_quant(self, deviation: float) -> Quant:
        """A quantization for real values of this deviation, at times too narrow."""
        zero = int(self.rng.choice([-128, -128, 0, int(self.rng.integers(-128, 128))]))
        span = self.rng.uniform(0.01, 0.3) if self.rng.random() < 0.1 else self.rng.uniform(1, 5)
        return float(np.float32(deviation * span / 128)), zero

    def deviation(self, tensor: int) -> float:
        return self.quant(tensor)[0] * 74.0 + 1e-9

    def out_size(self, size: int, taps: int, step: int, stride: int, padding: int) -> int:
        return -(-size // stride) if padding == 0 else (size - (taps - 1) * step - 1) // stride + 1

    def weights(
        self, shape: Sequence[int], axis: int, count: int, fan_in: int, biased: bool = False
    ) -> tuple[int, int, float]:
        """(weights, bias, deviation of the output)."""
        per_channel = self.rng.random() < 0.7
        scale = np.exp(self.rng.uniform(-6, -3, count if per_channel else 1)).astype(np.float32)
        kind = self.choice("INT8", "INT8", "INT8", "INT4")
        limit = 8 if kind == "INT4" else 128
        low = -limit + int(self.rng.random() < 0.7)
        values = self.rng.integers(low, limit, shape)
        data = values.astype(np.int8)
        if kind == "INT4":
            flat = np.append(values.reshape(-1), 0)[: values.size + values.size % 2] & 15
            data = (flat[::2] | flat[1::2] << 4).astype(np.uint8)
        weight = self.tensor(shape, kind, data, scale, axis=axis)
        source = self.quant(self.value)[0]
        deviation = self.deviation(self.value) * float(scale.mean()) * limit / 1.7 * math.sqrt(fan_in)
        if not biased and self.rng.random() < 0.2:
            return weight, -1, deviation
        biases = (self.rng.normal(0, deviation, count) / (source * scale)).clip(-(2**30), 2**30).astype(np.int32)
        bias = self.tensor((count,), "INT32", biases, np.float32(source) * scale, 0)
        return weight, bias, deviation

    def conv(self, depthwise: bool) -> None:
        _, height, width, channels = self.shape(self.value)
        padding = int(self.choice(0, 1))
        taps = [int(self.rng.integers(1, min(5, size) + 1)) for size in (height, width)]
        stride = [int(self.choice(1, 1, 2, 3)) for _ in range(2)]
        dilation = [
            int(self.choice(1, 1, 2)) if move == 1 and (k - 1) * 2 < size else 1
            for k, size, move in zip(taps, (height, width), stride, strict=True)
        ]
        if depthwise:
            multiplier = int(self.choice(1, 1, 2, 3))
            count, shape, axis, fan_in = channels * multiplier, (1, *taps, channels * multiplier), 3, math.prod(taps)
        else:
            groups = int(self.choice(1, 1, 1, 2)) if channels % 2 == 0 else 1
            count, axis = groups * int(self.rng.integers(1, 7)), 0
            shape, fan_in = (count, *taps, channels // groups), math.prod(taps) * channels // groups
        weight, bias, deviation = self.weights(shape, axis, count, fan_in, True)
        sizes = [
            self.out_size(size, k, step, move, padding)
            for size, k, step, move in zip((height, width), taps, dilation, stride, strict=True)
        ]
        quant = self.out_quant(deviation)
        fields = {
            "padding": padding, "strideH": stride[0], "strideW": stride[1], "dilationHFactor": dilation[0],
            "dilationWFactor": dilation[1], "fusedActivationFunction": self.activation_function(quant),
        }  # fmt: skip
        output = self.activation((1, *sizes, count), quant)
        if depthwise:
            options = schema.DepthwiseConv2DOptionsT(depthMultiplier=multiplier, **fields)
        else:
            options = schema.Conv2DOptionsT(**fields)
        name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        self.operator(name, [self.value, weight, bias], [output], options)
        self.value = output

    def dense(self) -> None:
        shape = self.shape(self.value)
        inner = shape[-1] if self.rng.random() < 0.4 else math.prod(shape)
        rows, count = math.prod(shape) // inner, int(self.rng.integers(2, 9))
        weight, bias, deviation = self.weights((count, inner), 0, count, inner)
        keep = bool(rows > 1 and self.rng.random() < 0.5)
        quant = self.out_quant(deviation)
        activation = self.activation_function(quant)
        options = schema.FullyConnectedOptionsT(fusedActivationFunction=activation, keepNumDims=keep)
        out = (*shape[:-1], count) if keep else (rows, count)
        output = self.activation(out, quant)
        self.operator("FULLY_CONNECTED", [self.value, weight, bias], [output], options)
        self.value = output

    def pool(self) -> None:
        name, padding = self.choice("AVERAGE_POOL_2D", "MAX_POOL_2D"), int(self.choice(0, 1))
        _, height, width, channels = self.shape(self.value)
        window = [int(self.rng.integers(1, min(4, size) + 1)) for size in (height, width)]
        stride = [int(self.choice(1, 2, k)) for k in window]
        sizes = [
            self.out_size(size, k, 1, move, padding)
            for size, k, move in zip((height, width), window, stride, strict=True)
        ]
        options = schema.Pool2DOptionsT(
            padding=padding, strideH=stride[0], strideW=stride[1], filterHeight=window[0], filterWidth=window[1],
            fusedActivationFunction=self.activation_function(self.quant(self.value)),
        )  # fmt: skip
        output = self.activation((1, *sizes, channels), self.quant(self.value))
        self.operator(name, [self.value], [output], options)
        self.value = output

    def binary(self) -> None:
        """ADD or MUL with a branch, a part of the input that is repeated, or a constant."""
        name, shape, mine = self.choice("ADD", "MUL"), self.shape(self.value), self.value
        way = self.choice("branch", "constant", "gate")
        if way == "constant":
            channels = int(self.choice(1, shape[-1]))
            data = self.rng.integers(-128, 128, channels).astype(np.int8)
            constant_shape = (channels,) if self.rng.random() < 0.5 else (1,) * (len(shape) - 1) + (channels,)
            other = self.tensor(constant_shape, "INT8", data, *self.any_quant())
        elif way == "gate" and len(shape) == 4:
            self.mean((1, 2), True)
            other = self.value
        else:
            self.unary()
            other = self.value
        sides = [mine, other] if self.rng.random() < 0.5 else [other, mine]
        first, second = self.deviation(mine), self.deviation(other)
        deviation = first * second if name == "MUL" else math.hypot(first, second)
        quant, options_of = self.out_quant(deviation), schema.MulOptionsT if name == "MUL" else schema.AddOptionsT
        options = options_of(fusedActivationFunction=self.activation_function(quant))
        output = self.activation(shape, quant)
        self.operator(name, sides, [output], options)
        self.value = output

    def unary(self) -> None:
        name = self.choice(
            "LOGISTIC", "TANH", "HARD_SWISH", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "QUANTIZE"
        )
        quant, options = self.out_quant(self.deviation(self.value)), None
        if name == "LOGISTIC":
            quant = (1 / 256, -128)
        elif name == "TANH":
            quant = (1 / 128, 0)
        elif name == "HARD_SWISH":
            options = schema.HardSwishOptionsT()
        elif name == "LEAKY_RELU":
            options = schema.LeakyReluOptionsT(alpha=float(self.rng.uniform(0, 1)))
        output = self.activation(self.shape(self.value), quant)
        self.operator(name, [self.value], [output], options)
        self.value = output

    def mean(self, axes: Sequence[int] | None = None, keep: bool | None = None) -> None:
        shape = self.shape(self.value)
        last = len(shape) - 1
        if axes is None:
            axes = self.choice((1,), (last,), tuple(range(1, last))) if last > 1 else (1,)
        keep = bool(self.choice(True, False)) if keep is None else keep
        axes = tuple(sorted(axes))
        rest = [1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes]
        deviation = self.deviation(self.value) / math.sqrt(math.prod(shape[axis] for axis in axes))
        quant = self.quant(self.value) if self.rng.random() < 0.3 else self.out_quant(deviation)
        output = self.activation(rest, quant)
        where = self.integers(list(axes))
        self.operator("MEAN", [self.value, where], [output], schema.ReducerOptionsT(keepDims=keep))
        self.value = output

    def pad(self) -> None:
        shape, quant = self.shape(self.value), self.quant(self.value)
        amounts = np.zeros((len(shape), 2), int)
        amounts[1:-1] = self.rng.integers(0, 3, (len(shape) - 2, 2))
        if self.rng.random() < 0.3:
            amounts[-1] = self.rng.integers(0, 3, 2)
        out = [size + int(sum(pair)) for size, pair in zip(shape, amounts, strict=True)]
        output = self.activation(out, quant)
        inputs = [self.value, self.integers(amounts)]
        if self.rng.random() < 0.4:
            value = self.rng.integers(-128, 128, 1).astype(np.int8)
            self.operator(
                "PADV2", [*inputs, self.tensor((1,), "INT8", value, *quant)], [output], schema.PadV2OptionsT()
            )
        else:
            self.operator("PAD", inputs, [output], schema.PadOptionsT())
        self.value = output

    def transposed(self) -> None:
        shape = self.shape(self.value)
        order = [0, *(1 + self.rng.permutation(len(shape) - 1)).tolist()]
        output = self.activation([shape[axis] for axis in order], self.quant(self.value))
        self.operator("TRANSPOSE", [self.value, self.integers(order)], [output], schema.TransposeOptionsT())
        self.value = output

    def sliced(self) -> None:
        shape, quant = self.shape(self.value), self.quant(self.value)
        begin = [0, *(int(self.rng.integers(0, size)) for size in shape[1:])]
        if self.rng.random() < 0.5:
            size = [
                1,
                *(int(self.rng.integers(1, all_ - low + 1)) for all_, low in zip(shape[1:], begin[1:], strict=True)),
            ]
            output = self.activation(size, quant)
            self.operator(
                "SLICE", [self.value, self.integers(begin), self.integers(size)], [output], schema.SliceOptionsT()
            )
        else:
            step = [1, *(int(self.choice(1, 1, 2, 3)) for _ in shape[1:])]
            size = [len(range(all_)[low::move]) for all_, low, move in zip(shape, begin, step, strict=True)]
            output = self.activation(size, quant)
            options = schema.StridedSliceOptionsT(beginMask=0, endMask=(1 << len(shape)) - 1)
            inputs = [self.value, *map(self.integers, (begin, shape, step))]
            self.operator("STRIDED_SLICE", inputs, [output], options)
        self.value = output

    def split(self) -> None:
        """Parts along an axis, which are joined again in another order, along any axis."""
        shape, quant = self.shape(self.value), self.quant(self.value)
        axes = [axis for axis in range(1, len(shape)) if shape[axis] % 2 == 0]
        if not axes:
            return
        axis = int(self.choice(*axes))
        part = [size // 2 if number == axis else size for number, size in enumerate(shape)]
        halves = [self.activation(part, quant) for _ in range(2)]
        if self.rng.random() < 0.5:
            self.operator("SPLIT", [self.integers(axis), self.value], halves, schema.SplitOptionsT(numSplits=2))
        else:
            inputs = [self.value, self.integers([-1, shape[axis] // 2]), self.integers(axis)]
            self.operator("SPLIT_V", inputs, halves, schema.SplitVOptionsT(numSplits=2))
        where = int(self.rng.integers(1, len(shape)))
        joined = [size * (2 if number == where else 1) for number, size in enumerate(part)]
        output = self.activation(joined, quant)
        self.operator("CONCATENATION", halves[::-1], [output], schema.ConcatenationOptionsT(axis=where))
        self.value = output

    def shaped(self) -> None:
        shape, quant = self.shape(self.value), self.quant(self.value)
        way = self.choice("reshape", "squeeze", "expand")
        if way == "expand" and len(shape) < 4:
            axis = int(self.rng.integers(1, len(shape) + 1))
            output = self.activation([*shape[:axis], 1, *shape[axis:]], quant)
            self.operator("EXPAND_DIMS", [self.value, self.integers(axis)], [output], schema.ExpandDimsOptionsT())
        elif way == "squeeze" and 1 in shape[1:-1]:
            axis = shape[1:-1].index(1) + 1
            output = self.activation([*shape[:axis], *shape[axis + 1 :]], quant)
            self.operator("SQUEEZE", [self.value], [output], schema.SqueezeOptionsT(squeezeDims=[axis]))
        else:
            count = math.prod(shape)
            height = int(self.choice(*[size for size in range(1, 9) if count % size == 0]))
            new = self.choice([1, count], [1, height, count // height], [1, height, 1, count // height])
            output = self.activation(new, quant)
            inputs = [self.value, self.integers([-1, *new[1:]])]
            self.operator("RESHAPE", inputs, [output], schema.ReshapeOptionsT(newShape=new))
        self.value = output

    def step(self) -> None:
        """One operator that the present shape allows."""
        rank, size = len(self.shape(self.value)), math.prod(self.shape(self.value))
        steps = [self.unary, self.binary, self.shaped, self.split, self.sliced]
        if rank == 4:
            steps += [lambda: self.conv(False), lambda: self.conv(True), self.pool] * 2
        if rank > 2:
            steps += [self.transposed, self.pad, self.mean]
        if size < 3000:
            steps.append(self.dense)
        self.choice(*steps)()

    def finish(self) -> None:
        self.dense()
        if math.prod(self.shape(self.value)) != self.shape(self.value)[-1]:
            shape = [1, math.prod(self.shape(self.value))]
            output = self.activation(shape, self.quant(self.value))
            self.operator(
                "RESHAPE", [self.value, self.integers(shape)], [output], schema.ReshapeOptionsT(newShape=shape)
            )
            self.value = output
        if self.rng.random() < 0.5:
            output = self.activation(self.shape(self.value), (1 / 256, -128))
            beta = float(self.rng.uniform(1, 4)) / self.deviation(self.value)
            self.operator("SOFTMAX", [self.value], [output], schema.SoftmaxOptionsT(beta=beta))
            self.value = output


def random_model(seed: int, steps: int | None = None) -> bytes:
    """A full-integer model of 1 to 9 operators and a matrix at the end."""
    build = Random(np.random.default_rng(seed))
    shape = build.choice((1, 12, 6, 1), (1, 8, 7, 4), (1, 9, 1, 8), (1, 10, 6), (1, 40))
    build.start(shape)
    for _ in range(int(build.rng.integers(1, 9)) if steps is None else steps):
        build.step()
    build.finish()
    return build.pack([0], [build.value])
