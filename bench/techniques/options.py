"""What stands behind a technique's colon, as in ``range-linear:w4a8,per-channel``: options, declared as fields.

An option is a bit width (``w4a8``), a word of a few (``per-channel``), or a number (``temperature=2``). The name that
options give a technique is the same however they were typed: bit widths first, defaults left out.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from bench.core.errors import RequestError

T = TypeVar("T")
BITS = re.compile(r"(?:w(\d+))?(?:a(\d+))?")
ADVICE = "see 'bench list' and docs/techniques.md"


def bits(default: int, letter: str, allowed: Sequence[int]) -> Any:
    """Declare a bit width, written as a letter and a number: ``w2``."""
    return dataclasses.field(default=default, metadata={"letter": letter, "allowed": tuple(allowed)})


def word(default: str, *others: str, **widths: Sequence[int]) -> Any:
    """Declare a choice of words; each stands for itself.

    ``widths`` are those it is for, by the name of their field: ``activation_bits=(1,)``.
    """
    return dataclasses.field(default=default, metadata={"words": (default, *others), "widths": widths})


def number(default: float, least: float, most: float = math.inf, **widths: Sequence[int]) -> Any:
    """Declare a number, written as ``name=2``; an integer where the default is one. ``widths`` as of ``word``."""
    return dataclasses.field(default=default, metadata={"least": least, "most": most, "widths": widths})


def parse(technique: T, text: str) -> T:
    """Return ``technique`` with the options of ``text``; raises ``RequestError`` that names what is wrong."""
    values: dict[str, Any] = {}
    for token in filter(None, (part.strip() for part in text.split(","))):
        for name, value in _values(technique, token).items():
            if name in values:
                raise RequestError(f"{token!r} sets {name.replace('_', '-')} a second time; give it once.")
            values[name] = value
    chosen = dataclasses.replace(technique, **values)  # type: ignore[type-var]
    _require_meaning(chosen)
    return chosen


def _require_meaning(technique: Any) -> None:
    """Raise ``RequestError`` for an option that does nothing at the technique's widths."""
    for each in dataclasses.fields(technique):
        for width, allowed in each.metadata.get("widths", {}).items():
            bits = getattr(technique, width)
            if getattr(technique, each.name) != each.default and bits not in allowed:
                what = f"{width.removesuffix('_bits')}s of {bits} bit{'s' * (bits > 1)}"
                raise RequestError(
                    f"{technique.family}'s {_token(technique, each)} does nothing to {what}; leave it out."
                )


def canonical(technique: object) -> str:
    """Return the options of ``technique`` as they are written, defaults left out; bit widths are always there."""
    fields = dataclasses.fields(technique)  # type: ignore[arg-type]
    widths = "".join(
        f"{each.metadata['letter']}{getattr(technique, each.name)}" for each in fields if "letter" in each.metadata
    )
    tokens = [widths] if widths else []
    for each in fields:
        if "letter" not in each.metadata and getattr(technique, each.name) != each.default:
            tokens.append(_token(technique, each))
    return ",".join(tokens)


def _token(technique: object, field: Any) -> str:
    value = getattr(technique, field.name)
    return str(value) if "words" in field.metadata else f"{_dashed(field.name)}={value!r}".removesuffix(".0")


def grammar(technique: object) -> str:
    """Return in one line what may stand behind the colon."""
    parts, widths = [], ""
    for each in dataclasses.fields(technique):  # type: ignore[arg-type]
        if "letter" in each.metadata:
            widths += f"{each.metadata['letter']}{{{'|'.join(map(str, each.metadata['allowed']))}}}"
        elif "words" in each.metadata:
            parts.append("|".join(each.metadata["words"]))
        elif "least" in each.metadata:
            parts.append(f"{_dashed(each.name)}={each.default:g}")
    return ", ".join([widths, *parts] if widths else parts)


def _values(technique: Any, token: str) -> dict[str, Any]:
    fields = dataclasses.fields(technique)
    letters = {each.metadata["letter"]: each for each in fields if "letter" in each.metadata}
    if letters and token and (match := BITS.fullmatch(token)):
        widths = {letter: int(width) for letter, width in zip("wa", match.groups(), strict=True) if width}
        if widths.keys() <= letters.keys():
            return {letters[letter].name: _width(technique, letters[letter], width) for letter, width in widths.items()}
    for each in fields:
        if token in each.metadata.get("words", ()):
            return {each.name: token}
        name, equals, value = token.partition("=")
        if "least" in each.metadata and equals and name == _dashed(each.name):
            return {each.name: _number(technique, each, value)}
    raise RequestError(
        f"{technique.family} has no option {token!r}; it takes {grammar(technique) or 'none'} ({ADVICE})."
    )


def _width(technique: Any, field: Any, width: int) -> int:
    allowed = field.metadata["allowed"]
    if width not in allowed:
        raise RequestError(
            f"{technique.family} has no {field.metadata['letter']}{width}; "
            f"its widths are {', '.join(map(str, allowed))}."
        )
    return width


def _number(technique: Any, field: Any, text: str) -> float:
    least, most = field.metadata["least"], field.metadata["most"]
    kind = type(field.default)
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and least <= value <= most):
        limits = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
        raise RequestError(f"{technique.family}'s {_dashed(field.name)}={text} is not a number of {limits}.")
    return value  # type: ignore[no-any-return]


def _dashed(name: str) -> str:
    return name.replace("_", "-")
