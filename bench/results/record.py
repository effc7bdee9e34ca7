"""What every record in a file of ours is: immutable, and strict about its keys."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

MOST_KEYS = 200
"""Of one record; none has a quarter of them, in later versions either."""


class Record(BaseModel):
    """Immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _of_few_keys(cls, content: Any) -> Any:
        """Refuse a crowd of keys at once: each that is not known would be a fault of its own, in time and memory."""
        if isinstance(content, dict) and len(content) > MOST_KEYS:
            raise ValueError(f"{len(content):,} keys, of which there may be {MOST_KEYS}")
        return content
