"""Graph files of foreign origin: each is refused in one sentence, whatever its header says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekws.errors import ArtifactError
from edgekws.files import npz, npz_arrays, npz_bytes
from edgekws.graph import io
from edgekws.graph.ir import Graph
from fuzz import npz_inputs
from fuzz.npz_inputs import Member, zip_bytes
from fuzz.protocol import tiny_graph

Arrays = dict[str, np.ndarray]


def parts() -> tuple[dict[str, Any], Arrays]:
    """Header and arrays of a sound file."""
    arrays = npz_arrays(io.to_bytes(tiny_graph()), "a graph", "")
    return json.loads(arrays.pop("header").tobytes()), arrays


def with_right_hash(header: dict[str, Any], arrays: Arrays) -> bytes:
    """A file whose hash is right, whatever is in it."""
    body = {key: value for key, value in header.items() if key not in ("kind", "version", "sha256")}
    text = json.dumps({**header, "sha256": io.digest_of(arrays, body)}).encode()
    return npz_bytes({"header": np.frombuffer(text, np.uint8), **arrays})


def refusal(content: bytes) -> str:
    with pytest.raises(ArtifactError) as caught:
        io.from_bytes(content)
    return str(caught.value)


def test_a_sound_file_is_read() -> None:
    graph = io.from_bytes(with_right_hash(*parts()))
    assert io.to_bytes(graph) == io.to_bytes(tiny_graph())


def header_cases() -> list[tuple[str, Any, str]]:
    """(path in the header, value, part of the message)."""
    return [
        ("labels", "yes", "labels should be a list of any number, each text"),
        ("labels", ["yes", 2, "up"], "labels should be"),
        ("name", "\ud800", "name should be text"),
        ("target", None, "target should be text"),
        ("provenance", {"a": {}}, "provenance should be an object of texts"),
        ("input_scale", float("nan"), "input_scale should be a finite number above 0"),
        ("nodes", {}, "nodes should be a list"),
        ("nodes.0.name", ["fc"], "node 0: name should be text"),
        ("nodes.0.inputs", "input", "node 0: inputs should be a list"),
        ("nodes.0.inputs", [{}], "node 0: inputs should be a list"),
        ("nodes.0.in_shape", [5, 4], "node 0: in_shape should be a list of 3"),
        ("nodes.0.in_shape", [5.0, 4, 1], "node 0: in_shape should be a list of 3"),
        ("nodes.0.in_shape", [True, 4, 1], "node 0: in_shape should be a list of 3"),
        ("nodes.0.stride", [2**31, 1], "node 0: stride should be a list of 2"),
        ("nodes.0.weight_bits", 8.0, "node 0: weight_bits should be a 32-bit integer"),
        ("nodes.0.out_scale", float("inf"), "node 0: out_scale should be a finite number"),
        ("nodes.0.requant", [], "node 0: requant should be an object"),
        ("nodes.0.requant.lo", "-128", "requantization of node 0: lo should be"),
        ("nodes.0.color", "red", "node 0 should have the fields of this version"),
        ("features", [], "features should be an object"),
        ("features.hop_samples", 0, "hop_samples should be an integer above 0"),
        ("features.window_samples", 10**6, "a clip should hold a window"),
        ("features.coefficients", 5, "each coefficient should have a scale"),
        ("features.input_scale", None, "input_scale should be a list"),
        ("more", 1, "the graph's header should have the fields of this version"),
    ]


@pytest.mark.parametrize(("path", "value", "message"), header_cases())
def test_a_field_of_another_type_is_refused(path: str, value: Any, message: str) -> None:
    header, arrays = parts()
    *way, last = path.split(".")
    place: Any = header
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    assert message in refusal(with_right_hash(header, arrays))


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"null", b"1", b"\xff", b'{"kind": []}', b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000),
        *(b"[" * 990 + b"]" * 990, b'{"kind": "edgekws-graph", "version": "' + b"x" * 10_000 + b'"}'),
        b'{"version": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
def test_a_malformed_header_is_refused_briefly(text: bytes) -> None:
    assert len(refusal(npz_bytes({"header": np.frombuffer(text, np.uint8)}))) < 400


ARRAY_CHANGES: list[tuple[str, Callable[[Arrays], object]]] = [
    ("array 0.offset should be int32. Got: float64", lambda a: a.update({"0.offset": np.full(3, np.nan)})),
    ("array 0.weight should be int8. Got: int16", lambda a: a.update({"0.weight": a["0.weight"].astype(np.int16)})),
    ("array 0.mult should be uint8. Got: int32", lambda a: a.update({"0.mult": a["0.mult"].astype(np.int32)})),
    ("array 0.shift should be uint8. Got: no such array", lambda a: a.pop("0.shift")),
    ("every array should belong to a node. Got: '1.shift'", lambda a: a.update({"1.shift": a["0.shift"]})),
    ("offset should have shape (3,). Got: ()", lambda a: a.update({"0.offset": a["0.offset"][0]})),
]


@pytest.mark.parametrize(("message", "change"), ARRAY_CHANGES)
def test_an_array_of_another_kind_is_refused(message: str, change: Callable[[Arrays], object]) -> None:
    header, arrays = parts()
    change(arrays)
    assert message in refusal(with_right_hash(header, arrays))


def test_a_tensor_that_int32_cannot_count_is_refused(graph: Graph) -> None:
    """Before anything of that size is allocated: the file has 4 kB."""
    arrays = npz_arrays(io.to_bytes(graph), "a graph", "")
    header = json.loads(arrays.pop("header").tobytes())
    first, second, *_ = header["nodes"]
    first["pad"], first["out_shape"] = [2**30, 2**30, 1, 1], [(49 + 2**31 - 10) // 2 + 1, 5, 8]
    second["in_shape"] = first["out_shape"]
    assert "conv1: at most 2147483647 elements" in refusal(with_right_hash(header, arrays))


def npy(descr: str = "'|i1'", shape: str = "(4,)", order: str = "False", data: bytes = b"1234") -> bytes:
    return npz_inputs.npy_bytes(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}", data)


HEADERS = {
    "objects": npy(descr="'|O'"),
    "a large shape": npy(shape="(99999999999,)"),
    "an endless shape": npy(shape="(" + "1" * 18 + ", " + "1" * 17 + " )"),
    "a negative shape": npy(shape="(-1,)"),
    "more bytes than the shape": npy(shape="(3,)"),
    "no type": npy(descr="'<i3'"),
    "letters without end": npy(descr="'<U999999'"),
    "no characters": npy(descr="'<U1'", shape="()", data=b"\xff\xff\xff\xff"),
    "another byte order": npy(descr="'>i4'"),
    "an open bracket": npz_inputs.npy_bytes("{'descr': '|i1', 'shape': (", b""),
    "a deep header": npz_inputs.npy_bytes("-" * 5000 + "1", b""),
    "another version": npz_inputs.npy_bytes("{'descr': '|i1', 'fortran_order': False, 'shape': (4,), }", b"1234", 2),
    "no array": b"header",
}
SOUND = npy()
ZIPS = {
    "encrypted": [Member(b"a.npy", SOUND, flags=1)],
    "compressed": [Member(b"a.npy", SOUND, method=8)],
    "lzma": [Member(b"a.npy", SOUND, method=14)],
    "unknown method": [Member(b"a.npy", SOUND, method=99)],
    "a patch": [Member(b"a.npy", SOUND, flags=0x20)],
    "two of one name": [Member(b"a.npy", SOUND), Member(b"a.npy", SOUND)],
    "no array": [Member(b"a.txt", SOUND)],
    "wrong sum": [Member(b"a.npy", SOUND, crc=0)],
    "more than there is": [Member(b"a.npy", SOUND, size=2**31, packed=2**31)],
    "a bomb": [Member(b"a.npy", npz_inputs.bomb(), method=8, size=128 << 20, crc=0)],
    "beyond the end": [Member(b"a.npy", SOUND, offset=2**31)],
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_that_numpy_does_not_write_is_refused(case: str) -> None:
    content = zip_bytes([Member(b"header.npy", HEADERS[case])])
    assert "a damaged or foreign file" in refusal(content)


@pytest.mark.parametrize("case", ZIPS)
def test_a_zip_that_numpy_does_not_write_is_refused(case: str) -> None:
    assert "a damaged or foreign file" in refusal(zip_bytes(ZIPS[case]))


def test_whole_arrays_come_back_as_numpy_wrote_them() -> None:
    plain = np.arange(6, dtype=np.int32).reshape(2, 3)
    arrays = {"c": plain, "f": plain.T, "text": np.array("naïve"), "none": np.zeros((0, 3), np.uint8), "x": np.ones(1)}
    read = npz.arrays(npz_bytes(arrays))
    assert list(read) == list(arrays)
    for key, array in arrays.items():
        assert np.array_equal(read[key], array) and read[key].dtype == array.dtype and read[key].flags.writeable
    assert read["f"].flags.f_contiguous
    assert npz_bytes(read) == npz_bytes(arrays)
