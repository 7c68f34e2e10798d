"""Reads .npz files of unknown origin: uncompressed members, plain numbers or text.

numpy.load trusts the header: 100 bytes can make it allocate any amount of memory, and a damaged one raises whatever
zipfile, ast and tokenize raise. This reader requires exactly the bytes that shape and type need, checks that the file
holds them, and raises ValueError for everything else.
"""

from __future__ import annotations

import io
import math
import re
import struct
import sys
import zipfile

import numpy as np

_ENCRYPTED = 0x01
_SUFFIX = ".npy"
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?P<size>..)"
    rb"\{'descr': '(?P<type>[<|][biufU]\d{1,6})', 'fortran_order': (?P<order>True|False), "
    rb"'shape': \((?P<shape>(?:\d{1,18}(?:, \d{1,18}){0,7},?)?)\), \} *\n",
    re.DOTALL,
)
_DAMAGE = (zipfile.BadZipFile, struct.error, OSError, EOFError, NotImplementedError, RuntimeError, TypeError)


def arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name. Raises ValueError for anything that numpy.savez does not write."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {_name(info): _array(archive.read(info)) for info in _members(archive, len(content))}
    except _DAMAGE as error:
        raise ValueError(str(error)) from error


def _members(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED for info in members):
        raise ValueError("compressed or encrypted members")
    if len({info.filename for info in members}) < len(members):
        raise ValueError("two members of one name")
    if sum(info.file_size for info in members) > size:
        raise ValueError("more bytes in its members than in itself")
    return members


def _name(info: zipfile.ZipInfo) -> str:
    if not info.filename.endswith(_SUFFIX):
        raise ValueError(f"a member that is not {_SUFFIX}")
    return info.filename.removesuffix(_SUFFIX)


def _array(member: bytes) -> np.ndarray:
    header = _HEADER.match(member)
    if header is None or header.end() - header.end("size") != int.from_bytes(header["size"], "little"):
        raise ValueError("an array whose header numpy does not write")
    kind = np.dtype(header["type"].decode())
    shape = [int(size) for size in header["shape"].replace(b",", b" ").split()]
    if math.prod(shape) * kind.itemsize != len(member) - header.end():
        raise ValueError("an array of more or fewer bytes than its shape needs")
    flat = np.frombuffer(member, kind, offset=header.end()).copy()
    if kind.kind == "U" and flat.view(np.uint32).max(initial=0) > sys.maxunicode:
        raise ValueError("text of characters that do not exist")  # Python would raise a SystemError, once it is read
    return flat.reshape(shape[::-1]).T if header["order"] == b"True" else flat.reshape(shape)
