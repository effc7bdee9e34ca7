"""What a report is made of: chapters of sentences, lists, tables and pictures; markdown.py and page.py render it.

Sentences are markdown with nothing in them but ``**strong**`` and `` `code` ``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bench.report.pictures import Picture
from bench.report.tables import Table


@dataclass(frozen=True)
class Listing:
    """A list, each item with what stands below it."""

    items: Sequence[tuple[str, Sequence[str]]]
    title: str = ""


@dataclass(frozen=True)
class Gallery:
    """The pictures of one model."""

    title: str
    pictures: Sequence[Picture]


Block: TypeAlias = str | Listing | Table | Gallery


@dataclass(frozen=True)
class Chapter:
    """A part of the report under one heading."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """All that is said of one run."""

    title: str
    warnings: Sequence[str]
    chapters: Sequence[Chapter]
