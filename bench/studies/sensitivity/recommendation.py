"""The smallest mixture within an allowed loss: searched for on every second test example, judged on the others too.

Examples outside the training set are needed twice: to choose a mixture, and to say what it loses, which those it was
chosen on flatter. Training examples would not do for the first: a network is surer of them, and loses too little there.
Of a user's model only the number of right answers is known, so that the search looks at all and nothing is held back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.core.variant_key import BASELINE, VariantKey
from bench.results.row import Accuracy
from bench.results.sensitivity import Change, LayerStudy, Recommendation, Step
from bench.studies.sensitivity.measuring import Measured, Measuring, right_in
from bench.studies.sensitivity.search import Option, Rung, climb, ladder
from bench.techniques import mixed
from bench.techniques.base import TECHNIQUES, Technique

if TYPE_CHECKING:
    from bench.studies.sensitivity.measuring import Right

SEARCH = slice(0, None, 2)
"""The test examples that the search looks at: neighbours in a file may be alike, so halves alternate."""
HELD_BACK = slice(1, None, 2)


def recommend(
    measuring: Measuring,
    chosen: Sequence[Technique],
    layers: Sequence[LayerStudy],
    measured: Measured,
    max_drop: float,
) -> Recommendation:
    """Return the smallest mixture of ``chosen`` techniques that loses at most ``max_drop``, a share, and measure it.

    ``layers``, in the model's order, name the rows of ``measured`` in which each is quantized alone.
    """
    search = _Search(measuring, layers, measured, max_drop)
    best = climb(ladder(search.options()), search.allowed, search.lost)
    name, assigned = search.smallest({search.mixture(best).name: best.layers, **search.rows()})
    final = measuring.measure([*chosen, TECHNIQUES.get(name)])
    float32, answers = search.right[BASELINE], search.right[measured.key(name)]
    on_search = _change(float32, answers, SEARCH)
    assert on_search is not None  # noqa: S101 — for the type checker: it fits, so it was compared
    return Recommendation(
        max_drop=max_drop,
        technique=name,
        layers={layer: assigned.get(layer, BASELINE.technique) for layer in search.names},
        steps=search.steps,
        search=on_search,
        held_back=None if isinstance(float32, Accuracy) else _change(float32, answers, HELD_BACK),
        run=final.run,
    )


@dataclass
class _Search:
    """What is known of mixtures so far."""

    measuring: Measuring
    layers: Sequence[LayerStudy]
    measured: Measured
    max_drop: float
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.right = dict(self.measured.right)
        self.file_bytes = {row.key: row.file_bytes for row in self.measured.run.rows}
        self.names = list(dict.fromkeys(study.layer for study in self.layers))
        self.modules = {study.layer: study.modules or [study.layer] for study in self.layers}
        float32 = self.right[BASELINE]
        self.examples = float32.total if isinstance(float32, Accuracy) else len(float32[SEARCH])
        self.allowed = math.floor(self.max_drop * self.examples + 1e-9)  # 0.5 % of 5,000 is 25, also in binary

    def options(self) -> dict[str, list[Option]]:
        """Return what each technique does to each layer alone; gains are chance and count as no loss."""
        options: dict[str, list[Option]] = {}
        whole = self.file_bytes[self.measured.key(BASELINE.technique)]
        for study in self.layers:
            only = self.measured.key(study.only)
            change, size = self._change(only), self.file_bytes[only]
            if change is not None and size is not None and whole is not None:
                option = Option(study.technique, max(0, change.lost - change.gained), whole - size)
                options.setdefault(study.layer, []).append(option)
        return options

    def mixture(self, rung: Rung) -> Technique:
        """Return a rung's technique."""
        assigned = {
            module: TECHNIQUES.get(name) for layer, name in rung.layers.items() for module in self.modules[layer]
        }
        return mixed.short(assigned, [module for layer in self.names for module in self.modules[layer]])

    def lost(self, rung: Rung) -> int | None:
        """Return how many examples a mixture loses, net; ``None`` if it cannot be made."""
        technique = self.mixture(rung)
        key = self.measured.key(technique.name)
        if key not in self.file_bytes:
            outcome = self.measuring.evaluate(technique)
            self.file_bytes[key] = None
            if not isinstance(outcome, Exception) and (right := right_in(outcome.evaluation)) is not None:
                self.right[key] = right
                self.file_bytes[key] = outcome.facts.deploy_bytes
        change = self._change(key)
        lost = change.lost - change.gained if change else None
        step = Step(
            technique=technique.name,
            predicted=-rung.lost / self.examples,
            change=change,
            packed_bytes=self.file_bytes[key],
            fits=lost is not None and lost <= self.allowed,
        )
        self.steps.append(step)
        return lost

    def rows(self) -> dict[str, Mapping[str, str]]:
        """Return, by the technique of each row of the study, what it assigns."""
        assigned: dict[str, Mapping[str, str]] = {}
        for study in self.layers:
            alike = {other.layer: study.technique for other in self.layers if other.technique == study.technique}
            assigned[study.technique] = alike
            assigned[study.only] = {study.layer: study.technique}
            if study.others is not None:
                assigned[study.others] = {layer: name for layer, name in alike.items() if layer != study.layer}
        return assigned

    def smallest(self, assignments: Mapping[str, Mapping[str, str]]) -> tuple[str, Mapping[str, str]]:
        """Return the technique with the smallest file of those measured that fit, and what it assigns.

        Losses need not add up: a row of the study may fit that the sum of its layers' losses spoke against.
        """

        def size(name: str) -> float:
            key = self.measured.key(name)
            change, packed = self._change(key), self.file_bytes[key]
            fits = change is not None and change.lost - change.gained <= self.allowed
            return packed if fits and packed is not None else math.inf

        name = min(assignments, key=size)
        return name, assignments[name]

    def _change(self, key: VariantKey) -> Change | None:
        if key not in self.right:
            return None
        return _change(self.right[BASELINE], self.right[key], SEARCH)


def _change(float32: Right, variant: Right, part: slice) -> Change | None:
    """Return the change on a part of the examples, or on all where it is not known which are right."""
    if isinstance(float32, Accuracy) and isinstance(variant, Accuracy):
        return Change.of_counts(float32, variant)
    if isinstance(float32, Accuracy) or isinstance(variant, Accuracy):
        return None
    before, after = float32[part], variant[part]
    return Change.of(int((before & ~after).sum()), int((~before & after).sum()), len(before))
