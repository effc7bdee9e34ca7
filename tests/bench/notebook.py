"""What a notebook shows of a result."""

from __future__ import annotations

from typing import Any

import bench


def shown(result: Any) -> str:
    """Return the markdown that IPython asks a result for, once the library has been used."""
    assert bench.QuantbenchError is not None
    text: str = result._repr_markdown_()
    return text
