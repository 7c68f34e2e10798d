"""Makes headers and arrays of graph files with one to three changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekws.graph.ops import OPS

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Seed:
    """A valid graph file: its header as text, without the hash, and its arrays."""

    header: str
    arrays: Arrays


_INTEGERS = (0, 1, -1, 2, 3, 7, 8, 127, 128, 255, 256, 65535, 2**16, 2**31 - 1, 2**31, 2**32, 2**63, 2**64, 10**40)
_REALS = (0.0, -0.0, 0.5, 8.0, 1e-320, 1e300, -1.0, float("nan"), float("inf"), float("-inf"))
_TEXTS = ("", "x", "input", *OPS, "fixed-point", "int8", "\ud800", "\0", "\u202e\n", "é" * 300)
_OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [0], [1, 1, 1], [[1]], ["input"], {"a": 1}, [None], [{}])
_KEYS = ("lo", "name", "weight", "kernel", "kind", "version", "sha256", "__class__", "", "0")


def changed_header(rng: random.Random, header: Any) -> Any:
    """`header` may be changed in place."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        place = _place(rng, header)
        if place is None:
            return _value(rng, header)
        rng.choice(_CHANGES)(rng, *place)
    return header


def _place(rng: random.Random, header: Any) -> tuple[Any, Any] | None:
    """A container and one of its keys, at any depth. None when there is nothing to change."""
    container, place = header, None
    if isinstance(header, dict) and isinstance(header.get("nodes"), list) and rng.random() < 0.7:
        container = header["nodes"]  # most fields that can be wrong are there
    while isinstance(container, (dict, list)) and container:
        key = rng.choice(list(container)) if isinstance(container, dict) else rng.randrange(len(container))
        place = container, key
        if rng.random() < 0.15:
            break
        container = container[key]
    return place


def _value(rng: random.Random, old: Any) -> Any:
    kind = rng.randrange(8)
    if kind < 4 and isinstance(old, (int, float)):
        return rng.choice((old + 1, old - 1, -old, old * 2, float(old), str(old), old + 0.5, [old]))
    if kind < 5:
        return rng.choice(_INTEGERS)
    return deepcopy(rng.choice((_REALS, _TEXTS, _OTHERS)[kind - 5]))


def _replace(rng: random.Random, container: Any, key: Any) -> None:
    container[key] = _value(rng, container[key])


def _remove(rng: random.Random, container: Any, key: Any) -> None:
    del container[key]


def _double(rng: random.Random, container: Any, key: Any) -> None:
    if isinstance(container, list):
        container.insert(rng.randrange(len(container) + 1), deepcopy(container[key]))
    else:
        container[rng.choice(_KEYS)] = deepcopy(container[key])


def _swap(rng: random.Random, container: Any, key: Any) -> None:
    other = rng.choice(list(container)) if isinstance(container, dict) else rng.randrange(len(container))
    container[key], container[other] = container[other], container[key]


def _nest(rng: random.Random, container: Any, key: Any) -> None:
    for _ in range(rng.choice((1, 1, 2, 30))):
        container[key] = rng.choice(([container[key]], {"a": container[key]}))


def padded(rng: random.Random, header: Any) -> None:
    """Change padding and strides, and the shapes that follow from them: only the sizes of such a header are wrong."""
    node = rng.choice(header["nodes"])
    if not OPS[node["op"]].is_convolution:
        return
    sizes, before = (0, 0, 1, 4, 100, 10_000, 65_535, 10**6, 2**30, 2**31 - 1), node["pad"]
    node["pad"], node["stride"] = rng.choices(sizes, k=4), rng.choices((1, 1, *sizes[2:]), k=2)
    height, width, channels = node["out_shape"]
    for axis, old in enumerate((height, width)):
        more = sum(node["pad"][2 * axis : 2 * axis + 2]) - sum(before[2 * axis : 2 * axis + 2])
        node["out_shape"][axis] = max(1, (old - 1 + more) // node["stride"][axis] + 1)
    for reader in header["nodes"]:
        if node["name"] in reader["inputs"]:
            reader["in_shape"] = [*node["out_shape"][:2], channels]


_CHANGES: tuple[Callable[[random.Random, Any, Any], None], ...] = (
    *(_replace, _replace, _replace, _replace, _replace),
    *(_remove, _double, _swap, _nest),
)
_CODES = ("i1", "u1", "<i2", "<i4", ">i4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "?", "S1", "U1", "V1", "M8[s]")


def changed_arrays(rng: random.Random, arrays: Arrays) -> Arrays:
    changed = dict(arrays)
    for _ in range(rng.choice((1, 1, 2))):
        if changed:
            key = rng.choice(list(changed))
            rng.choice(_ARRAY_CHANGES)(rng, changed, key)
    return changed


def _retype(rng: random.Random, arrays: Arrays, key: str) -> None:
    code = rng.choice(_CODES)
    raw = arrays[key].tobytes()
    size = np.dtype(code).itemsize
    arrays[key] = np.frombuffer(raw[: len(raw) // size * size], code)


def _reshape(rng: random.Random, arrays: Arrays, key: str) -> None:
    array = arrays[key]
    flat = array.reshape(-1)
    shapes = (flat, flat[:0], flat[:1], flat[:-1], array[None], array[..., None], array.T, np.repeat(flat, 2))
    arrays[key] = rng.choice((*shapes, flat[:1].reshape(()) if flat.size else flat))


def _set(rng: random.Random, arrays: Arrays, key: str) -> None:
    array = arrays[key].copy()
    if array.size and array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        value = rng.choice((limits.min, limits.max, 0, 1, rng.randint(int(limits.min), int(limits.max))))
        where = rng.randrange(array.size) if rng.random() < 0.5 else slice(None)
        flat = array.reshape(-1)
        flat[where] = value
        arrays[key] = flat.reshape(array.shape)


def _delete(rng: random.Random, arrays: Arrays, key: str) -> None:
    del arrays[key]


def _rename(rng: random.Random, arrays: Arrays, key: str) -> None:
    node, _, what = key.partition(".")
    after = rng.choice(("0", "1", "2", "00", "-1", ""))
    names = (f"{after}.{what}", f"{node}.bias", f"0{node}.{what}", f"{node}.weight", "", "header2", f"-{key}")
    arrays[rng.choice(names)] = arrays.pop(key)


_ARRAY_CHANGES = (_retype, _reshape, _set, _set, _set, _delete, _rename)


def odd_text(rng: random.Random, header: str) -> bytes:
    """Bytes that are deeply nested JSON, repeat a key, have very long numbers or another encoding, or are no JSON."""
    depth = rng.choice((10, 900, 1000, 5000, 100_000))
    field = rng.choice(("name", "nodes", "provenance", "labels", "input_scale", "kind", "sha256", "features"))
    values = (
        *("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "9" * 4301, "9" * 4299, "1e999", "-1e999"),
        *("NaN", "Infinity", "-Infinity", "1E400", "[" * depth, '"\\ud800"', '"\\u0000"', "-", "01", '"\x01"', "-0"),
    )
    text = header.replace(f'"{field}":', f'"{field}": {rng.choice(values)}, "{field}_":', 1)
    doubled = header[:-1] + f', "{field}": {rng.choice(values)}}}'
    whole = rng.choice(("", "null", "[]", "1", '"x"', "{}", "[" * depth, "NaN", header + header, header + "\0"))
    encodings = [header.encode(encoding) for encoding in ("utf-16", "utf-8-sig", "utf-32")]
    foreign = (rng.choice(encodings), b"\xff" + header.encode())
    return rng.choice((text.encode(), text.encode(), doubled.encode(), whole.encode(), *foreign))
