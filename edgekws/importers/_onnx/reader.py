"""Walks through the nodes of a file and builds the graph that gives the same integers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgekws.errors import ArtifactError
from edgekws.features.spec import FeatureSpec
from edgekws.graph.ir import INPUT, SIGNED, UNSIGNED
from edgekws.importers._onnx import rows, source, views
from edgekws.importers._onnx.file import LARGEST, MALFORMED, Call, File, first_line
from edgekws.importers._onnx.forms import Form
from edgekws.importers._onnx.nodes import Builder
from edgekws.importers._onnx.values import Joined, Quantized, Real, Softmax, Stored, Sum, Tensor, Value
from edgekws.importers._onnx.views import View

FOLDED = (
    "Constant", "ConstantOfShape", "Shape", "Identity", "Cast", "Concat", "Gather", "Reshape", "Slice", "Squeeze",
    "Transpose", "Unsqueeze", "Add", "Sub", "Mul", "Div", "Clip", "Neg", "Sqrt", "Pow", "Reciprocal", "Flatten",
)  # fmt: skip
"""Operations that are computed while reading where all of their inputs are constants."""
_VIEWS = ("DequantizeLinear", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout")


@dataclass(frozen=True)
class Raw:
    """The file's input before it is quantized."""

    view: View


@dataclass(frozen=True)
class Stage:
    """The quantization of TI's input, floor(factor * x + bias) within lo..hi; feature extraction computes it."""

    factor: float
    bias: float
    lo: int
    hi: int


Handler = Callable[["Reader", Call], "Value | Raw | tuple[Value, ...]"]


class Reader:
    """values: what each tensor of the file is. in_integers: whether floats hold the integers themselves, as TI's do."""

    def __init__(
        self, file: File, handlers: Mapping[tuple[str, str], Handler], in_integers: bool, own: bool,
        features: FeatureSpec | None,
    ) -> None:  # fmt: skip
        self.file, self.handlers, self.in_integers, self.own = file, handlers, in_integers, own
        self.build, self.step = Builder(), 1.0
        self.stage: Stage | None = None
        self.in_shape, self.in_view = source.layout(file, features)
        self.values: dict[str, Value | Raw] = dict(file.constants)
        self.values[file.source] = self._source()
        self.final = self._leading_to_output()
        self.took_input = ""
        self.settled: dict[int, tuple[Sum, Real]] = {}

    def scores(self) -> Tensor:
        """Read all nodes; return the tensor of the scores, [1, 1, labels]."""
        for call in self.file.calls:
            outputs = self._read(call)
            self.values.update(zip(call.outputs, outputs, strict=False))
        value = self.values[self.file.output]
        call = next(each for each in self.file.calls if self.file.output in each.outputs)
        return self._as_scores(self._settled_scores(value, call), call)

    # What a node reads

    def given(self, call: Call, number: int) -> bool:
        """Whether an optional input is present."""
        return len(call.inputs) > number and bool(call.inputs[number])

    def value(self, call: Call, number: int = 0) -> Value | Raw:
        """An input, whatever it is."""
        if not self.given(call, number) or call.inputs[number] not in self.values:
            raise call.damage(f"input {number} should be given", "none")
        return self.values[call.inputs[number]]

    def array(self, call: Call, number: int) -> np.ndarray | None:
        """A constant input as numbers; None where it is omitted."""
        if not self.given(call, number):
            return None
        value = self.value(call, number)
        if isinstance(value, Quantized):
            return value.real()
        if not isinstance(value, np.ndarray):
            raise call.refusal(f"input {number} should be a constant", call.inputs[number])
        if value.dtype.kind in "cOSUM":
            raise call.damage(f"input {number} should be real numbers", str(value.dtype))
        return value

    def numbers(self, call: Call, attribute: str, number: int) -> tuple[int, ...] | None:
        """Integers that are an attribute in older opsets and an input in newer ones."""
        if attribute in call.attributes:
            return tuple(int(each) for each in call.attributes[attribute])
        array = self.array(call, number)
        if array is not None and array.dtype.kind not in "iu":
            raise call.damage(f"{attribute} should be integers", str(array.dtype))
        return None if array is None else tuple(int(each) for each in array.ravel())

    def real(self, call: Call, number: int = 0) -> Real:
        """An input as real numbers of one tensor; a sum of integers becomes a node."""
        return self.as_real(self.value(call, number), call)

    def as_real(self, value: Value | Raw, call: Call) -> Real:
        """See `real`."""
        if isinstance(value, Real):
            return value
        if isinstance(value, Sum):
            if id(value) not in self.settled:
                self.settled[id(value)] = value, self._of_sum(value, call)
            return self.settled[id(value)][1]
        if isinstance(value, Stored):
            raise call.refusal("should read what DequantizeLinear made", "an integer tensor")
        if isinstance(value, Raw):
            raise call.refusal("the input should be quantized first", self.file.source, "quantize the whole network")
        raise call.refusal("should read a quantized tensor", type(value).__name__.lower())

    def line(self, call: Call, number: int = 0) -> Real:
        """As `real`, but no function of a tensor: between two layers values are quantized."""
        real = self.real(call, number)
        if real.curve is not None:
            real = self._in_its_steps(real, call, call.inputs[number])
        if real.tensor.name == INPUT and not self.took_input and self.stage is None:
            self.took_input = call.label
        return real

    def _in_its_steps(self, real: Real, call: Call, name: str) -> Real:
        """A function whose values are integers of its own tensor, as those of a clipped tensor are."""
        assert real.curve is not None
        tensor, ends = real.tensor, UNSIGNED if real.tensor.lo >= 0 else SIGNED
        steps = real.curve.astype(np.float64) / real.scale + real.zero
        whole = np.round(steps)
        if (np.abs(steps - whole) > 1e-4).any() or whole.min() < ends[0] or whole.max() > ends[1]:
            hint = "quantize it: QuantizeLinear, DequantizeLinear"
            raise call.refusal("should read a quantized tensor", f"{name}, a function of one", hint)
        form = Form(
            real.scale, real.zero - tensor.raised, ends[0] - tensor.raised, ends[1] - tensor.raised, tensor.raised
        )
        made = self.build.table(real, form, name.strip("/").replace("/", "."))
        return replace(real, tensor=made, curve=None)

    def channels_first(self, call: Call, number: int = 0) -> Real:
        """As `line`, laid out so that the axes of the file are channels, height and width."""
        real = self.line(call, number)
        return replace(real, tensor=self.laid_out(real.tensor, real.view, call), view=self.chw(real, call))

    def laid_out(self, tensor: Tensor, view: View, call: Call) -> Tensor:
        """The tensor whose height, width and channels are the file's axes 2, 3 and 1."""
        first, *rest = view
        rest = (*rest, (), ())[:2]  # type: ignore[assignment]
        sizes = views.sizes((*rest, first), tensor.shape)
        labels = [label for axis in (*rest, first) for label in axis]
        return self.build.arranged(tensor, labels, (sizes[0], sizes[1], sizes[2]), self.name_of(call))

    def channels_first_of(self, stored: Stored, call: Call) -> Real:
        """Integers of the file as numbers, laid out as those of `channels_first`."""
        real = self.dequantized(stored)
        return replace(real, tensor=self.laid_out(real.tensor, real.view, call), view=self.chw(real, call))

    def dequantized(self, stored: Stored) -> Real:
        """Integers of the file as numbers."""
        return Real(stored.tensor, stored.view, 1.0, stored.tensor.raised)

    def chw(self, real: Real, call: Call) -> View:
        """The view of the tensor that `laid_out` gives."""
        if not 1 <= len(real.view) <= 3:
            raise call.refusal("should have 2 to 4 dimensions", str(len(real.view) + 1))
        sizes = views.sizes(real.view, real.tensor.shape)
        labels = ("c", "h", "w")
        return tuple((label,) if size > 1 else () for label, size in zip(labels, sizes, strict=False))

    def note_input_scale(self, real: Real, call: Call) -> None:
        """Of an input that is stored as integers: its first reader says what they mean."""
        if real.tensor.name == INPUT and not self.took_input:
            self.took_input = call.label
            self.build.input_scale, self.build.input_zero = real.scale, real.zero

    # What a node makes

    def name_of(self, call: Call) -> str:
        """The name of the node of the graph that `call` begins."""
        if self.own:
            return call.outputs[0].rpartition("_")[0] or call.outputs[0]
        return (call.name or call.outputs[0]).strip("/").replace("/", ".")

    def form(self, scale: float, zero: int, unsigned: bool, output: str) -> Form:
        """How the tensor `output` of the file is quantized."""
        return Form.of(scale, zero, unsigned, output in self.final)

    def quantize(self, value: Value | Raw, form: Form, call: Call) -> Stored:
        """The integers of `value`."""
        name = call.outputs[0].removesuffix("_whole") if self.own else ""
        if isinstance(value, Raw):
            return Stored(self._quantized_input(form, call), value.view)
        if isinstance(value, Sum):
            return Stored(self.build.settle(value, form, name or self.name_of(value.call)), value.view)
        if isinstance(value, Softmax):
            return self._softmax(value, form, name or self.name_of(value.call))
        if isinstance(value, Joined):
            return self._joined(value, form, name or self.name_of(value.call))
        real = self.as_real(value, call)
        if real.curve is None and (real.scale, real.zero, real.tensor.raised) == (
            form.scale, form.graph_zero, form.raised,
        ):  # fmt: skip
            return Stored(real.tensor, real.view)
        return Stored(self.build.table(real, form, name or self.name_of(call)), real.view)

    def _joined(self, value: Joined, form: Form, name: str) -> Stored:
        parts = [self.quantize(real, form, value.call) for real in value.reals]
        tensors = tuple(each.tensor for each in parts)
        return Stored(self.build.joined(tensors, value.label, name), value.reals[0].view)

    def _softmax(self, value: Softmax, form: Form, name: str) -> Stored:
        """In steps of 1/256, as that of TFLite; the scores of another step are not rounded to it."""
        steps = Form.of(2.0**-8, -128, unsigned=False, final=True)
        if form.raised != Form.of(form.scale, form.zero, form.lo == 0, final=True).raised:
            raise value.call.refusal("a softmax should be the last layer", "one that another layer reads")
        if (form.scale, form.graph_zero) != (steps.scale, steps.zero):
            got = f"not in those of the file, {form.scale:.6g} from {form.zero}"
            self.build.notes.append(f"{name}: probabilities in steps of 1/256 from -128, {got}")
        return Stored(self.build.softmax(value.real, steps, name), value.real.view)

    def _of_sum(self, total: Sum, call: Call) -> Real:
        name = self.name_of(total.call)
        if total.op == rows.MAX_POOL and not total.is_clipped and not self.in_integers:
            (tensor,), (zero,) = total.tensors, total.zeros
            lo, hi = tensor.lo - tensor.raised, tensor.hi - tensor.raised
            form = Form(float(total.factor[0]), zero - tensor.raised, lo, hi, tensor.raised)
            return Real(self.build.settle(total, form, name), total.view, form.scale, zero)
        if not self.in_integers:
            hint = "quantize every layer: QuantizeLinear, DequantizeLinear after it"
            raise call.refusal("should read a quantized tensor", f"the real numbers of {total.call.label}", hint)
        if not self.own and total.op == rows.SCALE and total.tensors[0].name == INPUT:
            return self._input_stage(total)
        tensor = self.build.settle_floor(total, name)
        return Real(tensor, total.view, 1.0, tensor.raised)

    def _input_stage(self, total: Sum) -> Real:
        """TI's quantization of the input is no node: the graph's input is what it gives."""
        factor, bias = total.factor, total.factor * total.offset + total.bias
        if not ((factor == factor[0]).all() and (bias == bias[0]).all() and factor[0] > 0 and total.floored):
            hint = "export it with one scale for all channels, and normalize them in feature extraction"
            raise total.call.refusal("the input's normalization should have one scale above 0", str(factor), hint)
        lo, hi = int(np.clip(total.lo, -256, 256)), int(np.clip(total.hi, -256, 256))
        raised = 0 if lo < 0 else SIGNED[0]
        if lo + raised < SIGNED[0] or hi + raised > SIGNED[1]:
            raise total.call.refusal("the input should be quantized to 8 bits", f"{lo}..{hi}")
        stage = Stage(float(factor[0]), float(bias[0]), lo, hi)
        if self.stage not in (None, stage) or self.took_input:
            raise total.call.refusal("the input should be quantized once", "two quantizations")
        self.stage = stage
        self.build.input_scale = 1 / stage.factor
        self.build.input_zero = int(np.clip(np.floor(stage.bias), -256, 256)) + raised
        return Real(replace(total.tensors[0], raised=raised), total.view, 1.0, raised)

    def _quantized_input(self, form: Form, call: Call) -> Tensor:
        form = Form.of(form.scale, form.zero, unsigned=form.lo == 0, final=True)
        known = (self.build.input_scale, self.build.input_zero)
        if self.took_input and known != (form.scale, form.graph_zero):
            raise call.refusal("the input should be quantized once", "two quantizations")
        self.took_input = call.label
        self.build.input_scale, self.build.input_zero = form.scale, form.graph_zero
        return Tensor(INPUT, self.in_shape, *SIGNED, form.raised)

    # Reading

    def _source(self) -> Value | Raw:
        if self.file.kind in ("INT8", "UINT8"):
            return Stored(Tensor(INPUT, self.in_shape, *SIGNED, 0 if self.file.kind == "INT8" else -128), self.in_view)
        if self.file.kind != "FLOAT":
            raise ArtifactError(f"{self.file.name}: the input should be FLOAT, INT8 or UINT8", got=self.file.kind)
        if self.in_integers:
            return Real(Tensor(INPUT, self.in_shape, *SIGNED), self.in_view, 1.0, 0)
        return Raw(self.in_view)

    def _leading_to_output(self) -> set[str]:
        """The tensors whose integers are the scores."""
        final = {self.file.output}
        for call in reversed(self.file.calls):
            if call.op in _VIEWS and final.intersection(call.outputs):
                final.update(call.inputs[:1])
        return final

    def _read(self, call: Call) -> tuple[Value | Raw, ...]:
        try:
            return self._read_checked(call)
        except MALFORMED as error:
            raise call.damage("inputs and attributes should be those of its kind", first_line(error)) from error

    def _read_checked(self, call: Call) -> tuple[Value | Raw, ...]:
        with np.errstate(all="ignore"):  # what overflows is infinite, and is refused where it matters
            if self._is_constant(call):
                return self._folded(call)
            handler = self.handlers.get((call.domain, call.op))
            if handler is None:
                known = ", ".join(sorted({op for _, op in self.handlers}))
                got = f"{call.domain}.{call.op}".lstrip(".")
                raise call.refusal("this operation should have an exact integer form", got, f"known are {known}")
            value = handler(self, call)
        return value if isinstance(value, tuple) else (value,)

    def _is_constant(self, call: Call) -> bool:
        """Whether all inputs are plain numbers; the shape of any tensor is one."""
        if call.domain or call.op not in FOLDED:
            return False
        held = [self.values.get(name) for name in call.inputs if name]
        return call.op == "Shape" or all(isinstance(each, np.ndarray) for each in held)

    def _folded(self, call: Call) -> tuple[np.ndarray, ...]:
        if call.op == "Shape" and not isinstance(self.value(call), np.ndarray):
            return (np.array((1, *self.sizes(self.value(call))), np.int64),)
        given = {name: self.values[name] for name in call.inputs if name}
        if call.op == "ConstantOfShape":
            self._require_small(call, math.prod(self.array(call, 0).tolist()))  # type: ignore[union-attr]
        results = [np.asarray(each) for each in source.evaluated(call, given, self.file.opsets)]
        self._require_small(call, sum(each.size for each in results))
        return tuple(results)

    def _require_small(self, call: Call, size: int) -> None:
        if size > LARGEST:
            raise call.damage(f"should give at most {LARGEST} numbers", str(size))

    def sizes(self, value: Value | Raw) -> tuple[int, ...]:
        """The axes of a tensor of the file, without the batch."""
        if isinstance(value, Raw):
            return views.sizes(value.view, self.in_shape)
        if isinstance(value, Sum):
            return views.sizes(value.view, value.shape)
        if isinstance(value, Stored | Real):
            return views.sizes(value.view, value.tensor.shape)
        if isinstance(value, Softmax):
            return self.sizes(value.real)
        raise TypeError("a tensor without a shape")

    # The scores

    def _settled_scores(self, value: Value | Raw, call: Call) -> Stored:
        if isinstance(value, Softmax):
            value = self._softmax(value, Form.of(2.0**-8, -128, unsigned=False, final=True), self.name_of(value.call))
        if isinstance(value, Sum) and self.in_integers and value.floored:
            self.step = value.step
            value = replace(value, lo=value.lo / value.step, hi=value.hi / value.step, step=1.0)
        if isinstance(value, Stored):
            return value
        real = self.as_real(value, call)
        if real.curve is not None:
            raise call.refusal("the output should be quantized", "a function of the last quantized tensor")
        return Stored(real.tensor, real.view)

    def _as_scores(self, stored: Stored, call: Call) -> Tensor:
        tensor = stored.tensor
        if tensor.name == INPUT:
            raise call.refusal("the output should be computed from the input", "the input itself")
        labels = views.order(stored.view)
        return self.build.arranged(tensor, labels, (1, 1, math.prod(tensor.shape)), self.name_of(call))
