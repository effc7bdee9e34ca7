"""What stands behind a technique's colon, as in ``range-linear:w4a8,per-channel``: options, declared as fields.

An option is a bit width (``w4a8``), a word of a few (``per-channel``, or ``clip=learned`` where a word alone would not
say what it is of), or a number (``temperature=2``). The name that
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
BITS = re.compile(r"(?:w(\d{1,3}))?(?:a(\d{1,3}))?")
ADVICE = "see 'bench list' and docs/techniques.md"


def bits(default: int, letter: str, allowed: Sequence[int]) -> Any:
    """Declare a bit width, written as a letter and a number: ``w2``."""
    return dataclasses.field(default=default, metadata={"letter": letter, "allowed": tuple(allowed)})


def word(default: str, *others: str, **widths: Sequence[int]) -> Any:
    """Declare a choice of words; each stands for itself.

    ``widths`` are those it is for, by the name of their field: ``activation_bits=(1,)``.
    """
    return dataclasses.field(default=default, metadata={"words": (default, *others), "widths": widths})


def named_word(default: str, *others: str, **widths: Sequence[int]) -> Any:
    """Declare a choice of words, written as ``name=word``; ``widths`` as of ``word``."""
    return dataclasses.field(default=default, metadata={"named": (default, *others), "widths": widths})


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
    for field in dataclasses.fields(technique):
        for width, allowed in field.metadata.get("widths", {}).items():
            bits = getattr(technique, width)
            if getattr(technique, field.name) != field.default and bits not in allowed:
                what = f"{width.removesuffix('_bits')}s of {bits} bit{'s' * (bits > 1)}"
                raise RequestError(
                    f"{technique.family}'s {_token(technique, field)} does nothing to {what}; leave it out."
                )


def canonical(technique: object) -> str:
    """Return the options of ``technique`` as they are written, defaults left out; bit widths are always there."""
    fields = dataclasses.fields(technique)  # type: ignore[arg-type]
    widths = "".join(
        f"{field.metadata['letter']}{getattr(technique, field.name)}" for field in fields if "letter" in field.metadata
    )
    tokens = [widths] if widths else []
    for field in fields:
        if "letter" not in field.metadata and getattr(technique, field.name) != field.default:
            tokens.append(_token(technique, field))
    return ",".join(tokens)


def _token(technique: object, field: Any) -> str:
    value = getattr(technique, field.name)
    if "named" in field.metadata:
        return f"{_dashed(field.name)}={value}"
    return str(value) if "words" in field.metadata else f"{_dashed(field.name)}={value!r}".removesuffix(".0")


def grammar(technique: object) -> str:
    """Return in one line what may stand behind the colon."""
    parts, widths = [], ""
    for field in dataclasses.fields(technique):  # type: ignore[arg-type]
        if "letter" in field.metadata:
            widths += f"{field.metadata['letter']}{{{'|'.join(map(str, field.metadata['allowed']))}}}"
        elif "words" in field.metadata:
            parts.append("|".join(field.metadata["words"]))
        elif "named" in field.metadata:
            parts.append(f"{_dashed(field.name)}={'|'.join(field.metadata['named'])}")
        elif "least" in field.metadata:
            parts.append(f"{_dashed(field.name)}={field.default:g}")
    return ", ".join([widths, *parts] if widths else parts)


def _values(technique: Any, token: str) -> dict[str, Any]:
    fields = dataclasses.fields(technique)
    letters = {field.metadata["letter"]: field for field in fields if "letter" in field.metadata}
    if letters and token and (match := BITS.fullmatch(token)):
        widths = {letter: int(width) for letter, width in zip("wa", match.groups(), strict=True) if width}
        if widths.keys() <= letters.keys():
            return {letters[letter].name: _width(technique, letters[letter], width) for letter, width in widths.items()}
    for field in fields:
        if token in field.metadata.get("words", ()):
            return {field.name: token}
        name, equals, value = token.partition("=")
        if equals and name == _dashed(field.name) and value in field.metadata.get("named", ()):
            return {field.name: value}
        if "least" in field.metadata and equals and name == _dashed(field.name):
            return {field.name: _number(technique, field, value)}
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
