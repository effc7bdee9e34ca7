"""Names of files that are made of the names of models, variants and machines, which may be anything."""

from __future__ import annotations

import hashlib
import re
from typing import Final

MOST_BYTES: Final = 150
"""File systems take 255, of which what is added to the name needs some."""


def file_name(name: str) -> str:
    """Return ``name`` with a dash for whatever is no letter, digit, point or dash; a long one is cut, with its hash."""
    text = re.sub(r"[^\w.-]+", "-", name)
    if len(text.encode()) <= MOST_BYTES:
        return text
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{text.encode()[: MOST_BYTES - 13].decode(errors='ignore')}-{digest}"
