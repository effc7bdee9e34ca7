"""How much may be asked of one run."""

from __future__ import annotations

MAX_BATCH_SIZE = 65_536
"""More examples would measure the memory, or exhaust it."""
MAX_BATCH_SIZES = 32
"""Of a run: each is a column of every table, and a panel of every picture."""
