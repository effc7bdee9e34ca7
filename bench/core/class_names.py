"""What a sentence calls the class of a module."""

from __future__ import annotations

import sys
from pathlib import Path


def class_title(kind: type) -> str:
    """Return ``Linear`` for a class of torch's, ``Linear of net.py`` for one of anybody else's."""
    if kind.__module__.partition(".")[0] == "torch":
        return kind.__name__
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return f"{kind.__name__} of {Path(file).name}" if file else kind.__name__
