"""A variant in a record: its key, and the text of it in a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from bench.core.variant_key import VariantKey

VariantField = Annotated[
    VariantKey,
    BeforeValidator(lambda value: VariantKey.parse(value) if isinstance(value, str) else value),
    PlainSerializer(str, return_type=str),
]
