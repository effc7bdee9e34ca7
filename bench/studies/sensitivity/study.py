"""``bench sensitivity``: each layer or block quantized alone, each spared alone, and the smallest mixture in a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.errors import RequestError
from bench.core.variant_key import BASELINE
from bench.options.option import several
from bench.options.signature import from_options
from bench.options.studies import SensitivityOptions
from bench.results.run import Run
from bench.results.sensitivity import Change, LayerStudy, Sensitivity
from bench.running.execute import cores_of
from bench.running.plan import spec_of
from bench.running.studied_model import StudiedModel, studied_model
from bench.studies.sensitivity.measuring import Measuring
from bench.studies.sensitivity.parts import By, Part, parts_of
from bench.studies.sensitivity.possible import require_possible, runtime_of, techniques_of
from bench.studies.sensitivity.recommendation import recommend
from bench.techniques import mixed
from bench.techniques.base import TECHNIQUES, Technique
from bench.worker.messages import QuantizableLayer


@from_options(SensitivityOptions)
def sensitivity(options: SensitivityOptions) -> Sensitivity:
    """Quantize each layer of ``model`` alone, then all but that one; measure all beside each other.

    With ``by`` a block or a stage, of several layers, in the place of a layer.

    The model is a supplied one (``task/model``), or your own with its ``inputs``, as for ``bench.run`` or
    ``bench.measure``.

    ``technique`` is one or several that can be confined to layers. With ``max_drop_pp``, percentage points of accuracy,
    the smallest mixture of them that loses no more is searched for, and measured beside fp32 and each technique on all
    layers; see docs/commands.md. On another ``runtime`` than eager its own quantizer leaves layers out. The other
    arguments are those of ``bench.run``. Raises ``bench.QuantbenchError``.
    """
    spec = spec_of(options, suite="sensitivity", models=[], variants=[])
    cores_of(spec)  # what it refuses, it refuses before anything is started
    chosen = techniques_of(several(options.technique))
    max_drop_pp = options.max_drop_pp
    runtime = runtime_of(options.runtime, chosen, together=max_drop_pp is not None)
    with studied_model(options, spec.batch_sizes, options.engine) as model:
        spec = spec.model_copy(update={"models": [model.name], **model.titles})
        for technique in chosen:
            require_possible(runtime, technique, model)
        plans = _plans(model, chosen, options.by)
        weights = model.weights(TECHNIQUES.get(BASELINE.technique), options.seed)
        measuring = Measuring(model, spec, weights, runtime.name)
        in_rounds = [variant for plan in plans for variant in (plan.only, plan.others) if variant]
        measured = measuring.measure([*chosen, *in_rounds])
        names = [technique.name for technique in chosen]
        layers = [plan.record(measured.run) for plan in plans]
        recommendation = None
        if max_drop_pp is not None:
            if BASELINE not in measured.right:
                raise RequestError(
                    f"--recommend weighs accuracies, and of {model.name} it is not known how many answers are right; "
                    f"name an --evaluate that returns (correct, total)."
                )
            recommendation = recommend(measuring, chosen, layers, measured, max_drop_pp / 100)
        return Sensitivity(
            model=model.name,
            runtime=runtime.name,
            techniques=names,
            layers=_ranked(layers, names),
            run=measured.run,
            by=options.by,
            recommendation=recommendation,
        )


@dataclass(frozen=True)
class _Plan:
    """The two variants that tell one part of the model from the others."""

    part: Part
    technique: Technique
    only: Technique
    others: Technique | None

    def record(self, run: Run) -> LayerStudy:
        changes = {row.technique: Change.of_row(row, run) for row in run.rows}
        errors = {row.technique: row.output_error for row in run.rows}
        return LayerStudy(
            layer=self.part.name,
            modules=[] if self.part.modules == (self.part.name,) else list(self.part.modules),
            kind=self.part.kind,
            weights=self.part.weights,
            technique=self.technique.name,
            only=self.only.name,
            others=self.others.name if self.others else None,
            only_change=changes[self.only.name],
            others_change=changes[self.others.name] if self.others else None,
            only_error=errors[self.only.name],
            others_error=errors[self.others.name] if self.others else None,
        )


def _quantizable_layers(model: StudiedModel, technique: Technique) -> list[QuantizableLayer]:
    """Return the layers that a technique would change; raises ``RequestError`` if there is none."""
    layers = model.quantizable_layers(technique)
    if not layers:
        raise RequestError(
            f"{technique.name} changes no layer of {model.name}; "
            f"choose among {', '.join(mixed.layer_subset_techniques())}."
        )
    return layers


def _plans(model: StudiedModel, chosen: Sequence[Technique], by: By) -> list[_Plan]:
    layers = {technique: _quantizable_layers(model, technique) for technique in chosen}
    every = {layer.name: layer for of_technique in layers.values() for layer in of_technique}
    order = {name: position for position, name in enumerate(model.modules())}
    # Of all techniques together, so that a part is the same under each.
    parts = parts_of(sorted(every.values(), key=lambda layer: order.get(layer.name, len(order))), by, model.name)
    plans = []
    for technique in chosen:
        names = {layer.name for layer in layers[technique]}
        changed = [own for part in parts if (own := part.among(names)) is not None]
        modules = [module for part in changed for module in part.modules]
        for part in changed:
            others = {module: technique for module in modules if module not in part.modules}
            only = mixed.short(dict.fromkeys(part.modules, technique), modules)
            plans.append(_Plan(part, technique, only, mixed.short(others, modules) if others else None))
    return plans


def _ranked(layers: Sequence[LayerStudy], techniques: Sequence[str]) -> list[LayerStudy]:
    """Return the layers by technique, the most sensitive first; those that failed last, equals in the model's order.

    By the change of the accuracy, else by the error of the outputs.
    """

    def rank(study: LayerStudy) -> tuple[int, float, float]:
        alone = _loss(study.only_change, study.only_error)
        spared = _loss(study.others_change, study.others_error)
        return (
            techniques.index(study.technique),
            math.inf if alone is None else -alone,
            -math.inf if spared is None else spared,
        )

    return sorted(layers, key=rank)


def _loss(change: Change | None, error: float | None) -> float | None:
    return error if change is None else -change.value
