"""Range-based linear quantization: scales from ranges, and ranges from what was observed.

The scale *multiplies*: ``x_q = round(scale · x − zero)``, ``x ≈ (x_q + zero) / scale`` (Distiller's convention; in
torch's the scale divides and the zero point has the other sign). ACIQ's clipping: Banner et al. 2019, arXiv 1810.05723.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

GAUSS = {1: 1.24, 2: 1.71, 3: 2.15, 4: 2.55, 5: 2.93, 6: 3.28, 7: 3.61, 8: 3.92}
"""ACIQ's clipping in standard deviations, by bits, for both signs."""
GAUSS_HALF = {1: 1.71, 2: 2.15, 3: 2.55, 4: 2.93, 5: 3.28, 6: 3.61, 7: 3.92, 8: 4.2}
"""The same for what follows a ReLU."""
LAPLACE = {1: 1.86, 2: 2.83, 3: 3.89, 4: 5.03, 5: 6.2, 6: 7.41, 7: 8.64, 8: 9.89}
"""ACIQ's clipping in mean absolute deviations."""
LAPLACE_HALF = {1: 2.83, 2: 3.89, 3: 5.02, 4: 6.2, 5: 7.41, 6: 8.64, 7: 9.89, 8: 11.16}
ACIQ = {"gauss": (GAUSS, GAUSS_HALF), "laplace": (LAPLACE, LAPLACE_HALF)}
DISTILLER = "distiller-"
"""Before the name of a clipping that takes the values after a ReLU for those before it, as Distiller's code does."""
RECTIFIED = {"gauss": math.sqrt(1 / 2 - 1 / (2 * math.pi)), "laplace": math.exp(-1 / 2)}
"""What a ReLU leaves of the spread of values around 0: of the standard deviation of normal ones, and of the mean
deviation of Laplace's. ACIQ's constants are of the spread before it, and only the values behind it are seen."""


class Scale(NamedTuple):
    """How reals become integers and back; one value, or one an output channel ``(out, 1, …)``."""

    scale: Tensor
    zero: Tensor
    least: int
    """Of the integers."""
    most: int

    def integers(self, values: Tensor) -> Tensor:
        """Return ``x_q``, clamped, as float32."""
        return (self.scale * values - self.zero).round().clamp(self.least, self.most)

    def reals(self, integers: Tensor) -> Tensor:
        """Return what integers stand for."""
        return (integers + self.zero) / self.scale


def limits(bits: int, mode: str) -> tuple[int, int]:
    """Return the least and the largest integer."""
    half = 2 ** (bits - 1)
    if mode == "asym-unsigned":
        return 0, 2**bits - 1
    return (1 - half if mode == "sym-restricted" else -half), half - 1


def scale_of(low: Tensor, high: Tensor, bits: int, mode: str) -> Scale:
    """Return the scale of values from ``low`` to ``high``; that of zeros alone is 1.

    ``mode`` is ``sym`` (scale ``((2^n − 1)/2) / max|x|``, clamped to n bits), ``sym-restricted``
    (``(2^(n−1) − 1) / max|x|``, without the lowest integer), ``asym-unsigned`` or ``asym-signed``
    (``(2^n − 1) / (max − min)``, the range widened to hold 0, which is then exact).
    """
    least, most = limits(bits, mode)
    if mode.startswith("sym"):
        levels = most if mode == "sym-restricted" else (2**bits - 1) / 2
        scale = _safe(levels, torch.maximum(low.abs(), high.abs()))
        return Scale(scale, torch.zeros_like(scale), least, most)
    low, high = low.clamp(max=0), high.clamp(min=0)
    scale = _safe(2**bits - 1, high - low)
    return Scale(scale, (low * scale).round() - least, least, most)


def _safe(levels: float, width: Tensor) -> Tensor:
    """Return ``levels / width``; 1 where that is not a float32 number, because the width is too small."""
    wide = width > 2 * levels / torch.finfo(torch.float32).max
    one = torch.ones_like(width)
    return torch.where(wide, levels / width.where(wide, one), one)


class Observer:
    """What a layer's inputs were, over batches: their moments and extremes, not the values themselves.

    The mean deviation, which ``laplace`` clips by, is known only once the mean is: all batches are then shown again.
    """

    def __init__(self) -> None:
        self._least: list[Tensor] = []
        self._most: list[Tensor] = []
        self._count = 0
        self._mean = torch.zeros((), dtype=torch.float64)
        self._squares = torch.zeros((), dtype=torch.float64)
        """Of deviations from the mean, summed."""
        self._deviations: Tensor | None = None
        """Their magnitudes, summed over the second showing."""

    def see(self, inputs: Tensor) -> None:
        """Take note of a batch."""
        flat = inputs.detach().flatten(1).float()
        if self._deviations is not None:
            self._deviations = self._deviations + (flat - self._mean).abs().sum(dtype=torch.float64)
            return
        self._least.append(flat.amin(1))
        self._most.append(flat.amax(1))
        count, mean = flat.numel(), flat.mean(dtype=torch.float64)
        squares = (flat - mean).square().sum(dtype=torch.float64)
        # Chan, Golub and LeVeque 1983, eq. 2.1: moments of two samples put together.
        step, self._count = mean - self._mean, self._count + count
        self._mean = self._mean + step * count / self._count
        self._squares = self._squares + squares + step**2 * count * (self._count - count) / self._count

    def again(self) -> None:
        """Begin the second showing, of the same batches."""
        self._deviations = torch.zeros_like(self._mean)

    @property
    def never_negative(self) -> bool:
        """Whether all that was seen was 0 or more, as behind a ReLU."""
        return bool(torch.cat(self._least).min() >= 0)

    def range(self, bits: int, clipping: str, deviations: float, symmetric: bool = False) -> tuple[Tensor, Tensor]:
        """Return the range to quantize: as it was (``none``), or clipped.

        ``avg``: the mean over examples of each one's least and largest value. ``std``: mean ± ``deviations`` standard
        deviations, not beyond what was seen. ``gauss`` and ``laplace``: mean ± ACIQ's optimum for that distribution; of
        values that are never negative, from 0 to the half range's optimum for what was before the ReLU; not beyond what
        was seen. ``symmetric`` asks for a range around 0. ``distiller-gauss`` and ``distiller-laplace`` are as
        Distiller's code has them: see ``_as_distiller``.
        """
        least, most = torch.cat(self._least), torch.cat(self._most)
        low, high = least.min(), most.max()
        if clipping == "none":
            return low, high
        if clipping == "avg":
            return least.mean(), most.mean()
        if clipping == "std":
            mean, margin = self._mean.float(), deviations * self._spread("gauss")
            return torch.maximum(low, mean - margin), torch.minimum(high, mean + margin)
        family = clipping.removeprefix(DISTILLER)
        if clipping == family and self.never_negative:
            # With a range around 0 half of the levels are never used, so its optimum is that of both signs.
            optimum = ACIQ[family][0 if symmetric else 1][bits]
            end = torch.minimum(high, optimum * self._spread(family) / RECTIFIED[family])
            return (-end if symmetric else torch.zeros_like(end)), end
        return self._as_distiller(bits, family, symmetric)

    def _as_distiller(self, bits: int, family: str, symmetric: bool) -> tuple[Tensor, Tensor]:
        """Return the mean ± the optimum; of values that are never negative, from the smallest average to that and more.

        With ``symmetric`` ±(|mean| + the optimum of both signs).
        """
        least, high = torch.cat(self._least), torch.cat(self._most).max()
        mean, half = self._mean.float(), self.never_negative and not symmetric
        margin = ACIQ[family][half][bits] * self._spread(family)
        if symmetric:
            return -(mean.abs() + margin), mean.abs() + margin
        start = torch.maximum(least.mean(), mean - margin)
        return start, torch.minimum(high, start + (margin if half else 2 * margin))

    def _spread(self, family: str) -> Tensor:
        """Return the standard deviation for ``gauss``, the mean deviation for ``laplace``."""
        if family == "gauss":
            return (self._squares / (self._count - 1)).sqrt().float()
        if self._deviations is None:
            raise RuntimeError("laplace clipping needs the batches a second time, after again()")
        return (self._deviations / self._count).float()
