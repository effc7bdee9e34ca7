"""Safetensors as strangers may send them: other bytes, another header, other tensors in it, other words of ours."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any, Final

from bench.storage import checkpoint, packed
from tests.bench.fuzzing import json_changes
from tests.bench.mutations import damaged, mutated

DTYPES: Final = {
    name: value_bytes
    for value_bytes, names in {
        1: "BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ F4 F6_E2M3 F6_E3M2 f32 none",
        2: "I16 U16 F16 BF16",
        4: "I32 U32 F32",
        8: "I64 U64 F64 C64",
    }.items()
    for name in names.split()
}
"""Types of safetensors, and some that are none, with the bytes of a value."""
LENGTHS: Final = (0, 1, 2, 7, 2**31, 2**32, 2**62, 2**63, 2**64 - 1, 10**30, -1, 0.5, None, "3", [1])


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Take a safetensors file apart: its header and the values."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: bytes, values: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + values


def changed(content: bytes, random: Random) -> bytes:
    """Return a file of safetensors that was changed: its bytes, its header, a tensor in that, or what is ours there."""
    way = random.randrange(8)
    if way == 0:
        return damaged(content, random)
    header, values = split(content)
    if way == 1:
        return joined(json_changes.changed(header, random), values)
    if way < 5:
        return joined(json.dumps(_misdescribed(header, random)).encode(), values)
    about = header["__metadata__"]
    if packed.KEY in about:
        about[packed.KEY] = packed._compressed(mutated(packed._decompressed(about[packed.KEY]), random))
    else:
        [key] = about.keys() - {checkpoint.DIGEST}
        about[key] = json_changes.changed(json.loads(about[key]), random).decode(errors="replace")
    return joined(json.dumps(header).encode(), values)


def _misdescribed(header: dict[str, Any], random: Random) -> dict[str, Any]:
    """Return a header that says something else of one of its tensors: where it lies, or what it is."""
    names = [name for name in header if name != "__metadata__"]
    name, other = random.choice(names), random.choice(names)
    tensor = header[name]
    start, end = tensor["data_offsets"]
    match random.randrange(8):
        case 0:
            tensor["dtype"] = random.choice([*DTYPES, None, 7])
        case 1:  # the same bytes, and as many values as they are then
            tensor["dtype"], value_bytes = random.choice(list(DTYPES.items()))
            tensor["shape"] = [(end - start) // value_bytes]
        case 2:
            tensor["shape"] = [random.choice(LENGTHS) for _ in range(random.choice((0, 1, 2, 3, 70)))]
        case 3:  # none of its values, however many there would be
            tensor["shape"] = [0, random.choice(LENGTHS)]
            tensor["data_offsets"] = [start, start]
        case 4:
            tensor["data_offsets"] = random.choice(([end, start], [start, start], header[other]["data_offsets"]))
        case 5:
            tensor["data_offsets"][random.randrange(2)] += random.choice((-8, -1, 1, 8, 2**40, 2**63))
        case 6:
            header[random.choice(("again", "", "x" * 10_000, "../x", "\x00"))] = tensor
        case 7:
            header[other] = header.pop(name)
    return header
