"""``bench sensitivity``: each layer quantized alone, each spared alone, and the smallest mixture within a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.errors import RequestError
from bench.core.variant_key import BASELINE
from bench.measuring import machine
from bench.options.option import several
from bench.options.signature import from_options
from bench.options.studies import SensitivityOptions
from bench.results.run import Run
from bench.results.sensitivity import Change, LayerStudy, Sensitivity
from bench.running.execute import settings_of
from bench.running.model_session import ModelSession, model_session
from bench.running.plan import spec_of
from bench.studies.sensitivity.measuring import Measuring
from bench.studies.sensitivity.recommendation import recommend
from bench.techniques import mixed
from bench.techniques.base import TECHNIQUES, Technique
from bench.worker.messages import PREPARATION_HOST, QuantizableLayer
from bench.worker.process import Worker


@from_options(SensitivityOptions)
def sensitivity(options: SensitivityOptions) -> Sensitivity:
    """Quantize each layer of ``model`` (``task/model``) alone, then all but that one; measure all beside each other.

    ``technique`` is one or several that can be confined to layers. With ``max_drop_pp``, percentage points of accuracy,
    the smallest mixture of them that loses no more is searched for, and measured beside fp32 and each technique on all
    layers; see docs/sensitivity.md. The other arguments are those of ``bench.run``. Raises
    ``bench.QuantbenchError``.
    """
    spec = spec_of(options, suite="sensitivity", models=[options.model], variants=[])
    settings = settings_of(spec)
    chosen = _techniques(several(options.technique))
    max_drop_pp = options.max_drop_pp
    if max_drop_pp is not None:
        mixed.require_together(chosen)
    with model_session(options) as session:
        if options.engine is not None:
            machine.require_engine(options.engine, session.machine)
        spec = spec.model_copy(update={"models": [session.selected.name]})
        for technique in chosen:
            session.require_possible(technique, settings.engine)
        plans = [plan for technique in chosen for plan in _plans(technique, _quantizable_layers(session, technique))]
        training = session.training(TECHNIQUES.get(BASELINE.technique), options.seed)
        measuring = Measuring(session, spec, training, session.train_one(training))
        in_rounds = [variant for plan in plans for variant in (plan.only, plan.others) if variant]
        measured = measuring.measure([*chosen, *in_rounds])
        names = [technique.name for technique in chosen]
        layers = [plan.record(measured.run) for plan in plans]
        recommendation = None
        if max_drop_pp is not None and BASELINE in measured.right:
            recommendation = recommend(measuring, chosen, layers, measured, max_drop_pp / 100)
        return Sensitivity(
            model=session.selected.name,
            techniques=names,
            layers=_ranked(layers, names),
            run=measured.run,
            recommendation=recommendation,
        )


@dataclass(frozen=True)
class _Plan:
    """The two variants that tell one layer from the others."""

    layer: QuantizableLayer
    technique: Technique
    only: Technique
    others: Technique | None

    def record(self, run: Run) -> LayerStudy:
        changes = {row.technique: Change.of_row(row) for row in run.rows}
        return LayerStudy(
            layer=self.layer.name,
            kind=self.layer.kind,
            weights=self.layer.weights,
            technique=self.technique.name,
            only=self.only.name,
            others=self.others.name if self.others else None,
            only_change=changes[self.only.name],
            others_change=changes[self.others.name] if self.others else None,
        )


def _techniques(names: Sequence[str]) -> list[Technique]:
    chosen = list(dict.fromkeys(TECHNIQUES.get(name) for name in names))
    for technique in chosen:
        if technique.name == BASELINE.technique:
            raise RequestError(
                f"{BASELINE} changes no layer; choose among {', '.join(mixed.layer_subset_techniques())}."
            )
        mixed.require_confinable(technique)
    return chosen


def _quantizable_layers(session: ModelSession, technique: Technique) -> list[QuantizableLayer]:
    """Ask a worker, which has torch imported, for the layers that a technique would change."""
    worker = Worker(PREPARATION_HOST)
    try:
        layers: list[QuantizableLayer] = worker.call(
            "quantizable_layers", session.dataset.specs[session.selected.spec.name], technique.name
        )
    finally:
        worker.close()
    if not layers:
        raise RequestError(
            f"{technique.name} changes no layer of {session.selected.name}; "
            f"choose among {', '.join(mixed.layer_subset_techniques())}."
        )
    return layers


def _plans(technique: Technique, layers: Sequence[QuantizableLayer]) -> list[_Plan]:
    names = [layer.name for layer in layers]
    plans = []
    for layer in layers:
        others = {name: technique for name in names if name != layer.name}
        only = mixed.short({layer.name: technique}, names)
        plans.append(_Plan(layer, technique, only, mixed.short(others, names) if others else None))
    return plans


def _ranked(layers: Sequence[LayerStudy], techniques: Sequence[str]) -> list[LayerStudy]:
    """Return the layers by technique, the most sensitive first; those that failed last, equals in the model's order."""

    def rank(study: LayerStudy) -> tuple[int, float, float]:
        alone = study.only_change.value if study.only_change else math.inf
        spared = study.others_change.value if study.others_change else -math.inf
        return techniques.index(study.technique), alone, -spared

    return sorted(layers, key=rank)
