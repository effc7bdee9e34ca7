"""Variants that are made to answer, and not timed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.results.evaluation import Evaluation
from bench.worker.messages import VARIANT_HOST, VariantFacts, VariantRequest
from bench.worker.process import Call, Worker, close_all, run_calls


@dataclass(frozen=True)
class EvaluatedVariant:
    """A variant that was made and has answered the test set."""

    facts: VariantFacts
    evaluation: Evaluation


def evaluate_variants(requests: Sequence[VariantRequest | Exception]) -> list[EvaluatedVariant | Exception]:
    """Make all variants side by side and let each answer; what cannot be requested or made is its reason."""
    outcomes = {at: request for at, request in enumerate(requests) if isinstance(request, Exception)}
    possible = {at: request for at, request in enumerate(requests) if not isinstance(request, Exception)}
    evaluated: dict[int, EvaluatedVariant | Exception] = dict(outcomes)
    workers = {position: Worker(VARIANT_HOST) for position in possible}
    facts: dict[int, VariantFacts] = {}
    try:
        for position, outcome in _call_all(workers, "build", {at: (one,) for at, one in possible.items()}):
            if isinstance(outcome, Exception):
                evaluated[position] = outcome
            else:
                facts[position] = outcome
        for position, outcome in _call_all(workers, "evaluate", dict.fromkeys(facts, ())):
            answered = isinstance(outcome, Evaluation)
            evaluated[position] = EvaluatedVariant(facts[position], outcome) if answered else outcome
    finally:
        close_all(workers.values())
        for request in possible.values():
            _discard(request.packed)
    return [evaluated[position] for position in range(len(requests))]


def _discard(path: Path) -> None:
    """Remove the file of a variant; that of a runtime may be a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _call_all(
    workers: Mapping[int, Worker], method: str, arguments: Mapping[int, tuple[object, ...]]
) -> Iterator[tuple[int, Any]]:
    positions = sorted(arguments)
    calls = [Call(workers[position], method, arguments[position]) for position in positions]
    for index, outcome in run_calls(calls, len(calls)):
        yield positions[index], outcome
