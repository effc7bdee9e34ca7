"""How a variant was judged: what it answers, and how much of it is right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.results.row import Accuracy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Evaluation:
    """What is not known of a workload is ``None``: a user's function tells no single answers."""

    accuracy: Accuracy | None = None
    share: float | None = None
    """The accuracy where a user's function returned a fraction alone."""
    answers: NDArray[np.int16] | None = field(default=None, repr=False)
    """The class with the largest logit for each example of the test set, in its order."""
    right: NDArray[np.bool_] | None = field(default=None, repr=False)
    """Whether each of these answers is right."""
    outputs: NDArray[np.float32] | None = field(default=None, repr=False)
    """What the variant puts out for some example inputs, one value after the other."""

    @property
    def right_bits(self) -> bytes | None:
        """``right``, eight to a byte."""
        import numpy as np

        return None if self.right is None else np.packbits(self.right).tobytes()
