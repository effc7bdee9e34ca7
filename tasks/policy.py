"""Which data may be taken."""

from typing import Literal

DataPolicy = Literal["auto", "real", "synthetic"]
"""``auto`` takes real data where they are or can be downloaded, and a synthetic stand-in where not."""
