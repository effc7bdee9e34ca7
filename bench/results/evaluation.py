"""What a variant answers to the test set of a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.results.run import Accuracy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Evaluation:
    """The answers to the whole test set, in its order."""

    accuracy: Accuracy
    answers: NDArray[np.int16]
    """The class with the largest logit."""
    right: NDArray[np.bool_]

    @property
    def right_bits(self) -> bytes:
        """Which are right, eight to a byte."""
        import numpy as np

        return np.packbits(self.right).tobytes()
