"""How what takes long says how far it is."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[int, int], None]
"""Called by a host with units done and units in all."""
