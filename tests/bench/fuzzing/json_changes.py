"""JSON as strangers may send it: changed as a value, as text, or as bytes."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any, Final

from tests.bench.mutations import damaged, mutated

LITERALS: Final = (
    *("NaN", "-Infinity", "1e999999", "-1e999999", "1e-999999", "9" * 4_000, "9" * 5_000, "-0", "01", "1.", "0x10"),
    *("null", "true", "tru", "'a'", '"\\ud800"', '"\\u0000"', '"\\u202e"', '"\n"', '"', "/* */ 1", ""),
    *("[" * 900 + "]" * 900, "[" * 100_000, "]" * 9, '{"a":' * 100_000, '{"a":1,"a":2}', '{"a":[' * 400 + "]}" * 400),
)
"""What may stand in the place of a number, valid JSON or not."""
NUMBER: Final = re.compile(r"(?<=[\s:\[,])-?\d[\d.eE+-]*(?=[\s,\]}])")
KEY: Final = re.compile(r'(?<=[\s{,])"\w*":')


def changed(content: Any, random: Random) -> bytes:
    """Return a file in which something was changed: mostly a value, so that most of the file is still looked at."""
    match random.randrange(8):
        case 0:
            return damaged(json.dumps(content).encode(), random)
        case 1:
            return _reworded(json.dumps(content), random)
        case _:
            return json.dumps(mutated(content, random)).encode()


def _reworded(text: str, random: Random) -> bytes:
    """Return JSON with other words: numbers that no parser of ours has written, keys that are there twice."""
    literal = random.choice(LITERALS)
    match random.randrange(8):
        case 0:
            return b"\xef\xbb\xbf" + text.encode()
        case 1:
            return text.encode(random.choice(("utf-16", "utf-32", "utf-7")))
        case 2:
            return (text + literal).encode()
        case 3 | 4 if keys := list(KEY.finditer(text)):
            key = random.choice(keys)
            return f"{text[: key.start()]}{key[0]} {literal}, {text[key.start() :]}".encode()
        case _ if numbers := list(NUMBER.finditer(text)):
            number = random.choice(numbers)
            return f"{text[: number.start()]}{literal}{text[number.end() :]}".encode()
        case _:
            return literal.encode()
