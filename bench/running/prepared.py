"""A model that is ready to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.results.provenance import Data, Training
from bench.running.variant_under_test import VariantUnderTest


@dataclass(frozen=True)
class PreparedModel:
    """Its variants, each with the request that makes it, and what a run says of its data and weights."""

    name: str
    """As ``task/model``."""
    data: Data
    trainings: Sequence[Training]
    variants: Sequence[VariantUnderTest]
