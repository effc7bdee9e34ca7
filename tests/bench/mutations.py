"""What strangers' files may hold: things of a valid file replaced, deleted, doubled or exchanged, and flipped bits."""

from __future__ import annotations

import copy
import math
import struct
from collections.abc import Callable
from random import Random
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

FEW: Final = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
RANDOMS: Final = st.integers(min_value=0, max_value=2**64 - 1).map(Random)

NASTY: list[Callable[[], Any]] = [
    lambda: None,
    lambda: True,
    lambda: False,
    lambda: 0,
    lambda: -1,
    lambda: 1,
    lambda: 2,
    lambda: 7,
    lambda: 1_000_000_000,
    lambda: 2**53,
    lambda: 2**63,
    lambda: 10**400,
    lambda: -(10**4000),
    lambda: 0.0,
    lambda: -0.0,
    lambda: 0.5,
    lambda: 1e-320,
    lambda: 1e-12,
    lambda: 1e-9,
    lambda: 1e9,
    lambda: 1e30,
    lambda: 1e100,
    lambda: 1e-100,
    lambda: 1e308,
    lambda: -1e308,
    lambda: math.nan,
    lambda: math.inf,
    lambda: -math.inf,
    lambda: "",
    lambda: " ",
    lambda: "fp32",
    lambda: "real",
    lambda: "own",
    lambda: "noisy",
    lambda: "AMP",
    lambda: "1",
    lambda: "x" * 4_000,
    lambda: "x" * 200_000,
    lambda: "é" * 3_000,
    lambda: "$\\frac{$",
    lambda: "_$^",
    lambda: "a|b\nc\r\nd\te",
    lambda: "<script>alert(1)</script>&amp;",
    lambda: "{{ 7 }} {0} %s [red]",
    lambda: "../../etc/passwd\x00",
    lambda: "\x1b[31mred\x07",
    lambda: "\ud800",
    lambda: "\uffff模型🦊\u202e",
    list,
    lambda: [0],
    lambda: [None],
    lambda: ["x"],
    lambda: [[]],
    dict,
    lambda: {"": None},
    lambda: {"1": 1},
    lambda: {"64": {}},
    lambda: nested(50),
    lambda: nested(200),
]
"""Values made anew each time: one may be changed later."""


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def mutated(content: Any, random: Random) -> Any:
    """Return a copy of parsed JSON with one to three things changed."""
    whole = [copy.deepcopy(content)]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _mutate(whole, random)
    return whole[0]


def _mutate(whole: list[Any], random: Random) -> None:
    """Walk down to some place, and change what lies there."""
    holder: Any = whole
    key: Any = 0
    while isinstance(inside := holder[key], dict | list) and inside and random.random() < 0.9:
        holder, key = inside, random.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
    if random.random() < 0.5:  # of its own type: such a file is more often accepted, and rendered
        holder[key] = _alike(holder[key], random)
        return
    match random.randrange(12):
        case 0 if holder is not whole:
            del holder[key]
        case 1 if isinstance(holder, list) and holder is not whole:
            holder.insert(key, copy.deepcopy(holder[key]))
        case 1 if isinstance(holder, dict):
            holder[random.choice(["surprise", "", "1", "-1", "1e9", "x" * 10_000])] = copy.deepcopy(holder[key])
        case 2:
            other = random.choice(list(_values(whole[0])))
            holder[key] = copy.deepcopy(other)
        case 3 if isinstance(holder[key], float):
            holder[key] = holder[key] * random.choice([-1, 1e-6, 0.5, 2, 10, 1_000_000])
        case 4 if isinstance(holder[key], list):
            holder[key] = holder[key] * random.choice([0, 2, 300])
        case _:
            holder[key] = random.choice(NASTY)()


def _alike(value: Any, random: Random) -> Any:
    alike = [found for make in NASTY if type(found := make()) is type(value)]
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        alike += [value * factor for factor in (-1, 2, 10, 1_000_000)]
        alike += [value / factor for factor in (2, 10, 1_000_000)] if isinstance(value, float) else [value // 2]
    if isinstance(value, list):
        alike += [value[:1], value[::-1], value[1:], value + value]
    if isinstance(value, dict):
        alike += [dict(list(value.items())[:1]), dict(list(value.items())[1:])]
    return random.choice(alike)


def _values(value: Any) -> Any:
    yield value
    if isinstance(value, dict | list):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from _values(inside)


def damaged(content: bytes, random: Random) -> bytes:
    """Return the bytes of a file truncated, with flipped bits, changed bytes, a piece left out or put in twice."""
    data = bytearray(content)
    at = random.randrange(min(len(data), random.choice((16, 400, 10**9))))
    match random.randrange(6):
        case 0:
            del data[at:]
        case 1:
            data[at] ^= 1 << random.randrange(8)
        case 2:
            del data[at : at + random.randrange(1, 64)]
        case 3:
            data[at:at] = data[at : at + random.randrange(1, 64)]
        case 4:
            data[at : at + 8] = random.randbytes(8)
        case 5:
            data[:8] = struct.pack("<Q", random.choice([0, 1, len(data), len(data) - 8, 2**32, 2**63, 2**64 - 1]))
    return bytes(data)
