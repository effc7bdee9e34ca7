"""Makes the rows of one model: converts every variant, then measures all of them beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.progress import Bars
from bench.core.variant_key import BASELINE
from bench.results.evaluation import Evaluation
from bench.results.row import Agreement, Row
from bench.results.settings import Settings
from bench.running.latency import measure_latency
from bench.running.parallel import Parallel, VariantCall
from bench.running.reference import ReferenceWorkload
from bench.running.variant_under_test import VariantUnderTest
from bench.stats import proportions
from bench.stats.relative_error import relative_error
from bench.worker.messages import VARIANT_HOST
from bench.worker.process import Worker


def measure_model(
    variants: Sequence[VariantUnderTest],
    settings: Settings,
    cores: int,
    bars: Bars,
    reference: ReferenceWorkload | None = None,
) -> list[Row]:
    """Return a row for each variant of one model.

    Conversion and accuracy use all ``cores`` at once; latency has the machine to itself, but for the ``reference``.
    Raises ``CheckpointError``, and ``RequestError`` if the budget is too short; any other failure is a row.
    """
    workload = variants[0].request.workload
    parallel = Parallel(f"{workload.task}/{workload.model}", max(1, cores // settings.threads), bars)
    show = bars.stage(f"measure {workload.task}/{workload.model}")
    show(0, 1)
    try:
        for variant in variants:
            variant.start(VARIANT_HOST, settings.timeout_s)
        for variant, facts in parallel.call("build", variants, lambda variant: (variant.request,)):
            variant.facts = facts
        _answer_and_verify(variants, settings, parallel)
        _compare_answers(variants)
        measure_latency(variants, settings, parallel, reference)
        show(1, 1)
    finally:
        if reference is not None:
            reference.close()
        for variant in variants:
            variant.close()
            variant.request.packed.unlink(missing_ok=True)
    return [variant.row() for variant in variants]


def tally(rows: Sequence[Row]) -> str:
    """Count a model's rows by status."""
    counts = {status: sum(row.status == status for row in rows) for status in ("ok", "noisy", "unsupported", "failed")}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _answer_and_verify(variants: Sequence[VariantUnderTest], settings: Settings, parallel: Parallel) -> None:
    """Answer the test set; beside that rebuild every packed file in a fresh process and compare the logits."""
    living = [(variant, variant.worker) for variant in variants if variant.worker is not None]
    packed = [variant for variant, _ in living if variant.facts is not None and variant.facts.packed_bytes]
    fresh = [Worker(VARIANT_HOST, settings.timeout_s) for _ in packed]
    evaluations = [VariantCall(variant, worker, "evaluate") for variant, worker in living]
    reloads = [
        VariantCall(variant, worker, "reload", (variant.request,))
        for variant, worker in zip(packed, fresh, strict=True)
    ]
    try:
        for call, outcome in parallel.outcomes(evaluations + reloads):
            if call.method == "reload":
                call.worker.close()
                _note_reload(call.variant, outcome)
            elif isinstance(outcome, Exception):
                call.variant.fail(outcome)
            else:
                call.variant.evaluation = outcome
    finally:
        for worker in fresh:
            worker.close()


def _note_reload(variant: VariantUnderTest, outcome: object) -> None:
    variant.verified = variant.facts is not None and outcome == variant.facts.fingerprint
    if isinstance(outcome, Exception):
        variant.notes.append(f"no packed size: its file cannot be reloaded ({outcome})")
    elif not variant.verified:
        variant.notes.append("no packed size: its file reloads to other logits")


def _compare_answers(variants: Sequence[VariantUnderTest]) -> None:
    baseline = next((variant.evaluation for variant in variants if variant.key == BASELINE), None)
    for variant in variants:
        if baseline is not None and variant.evaluation is not None and variant.key != BASELINE:
            variant.agreement = _agreement(baseline, variant.evaluation)
            if baseline.outputs is not None and variant.evaluation.outputs is not None:
                variant.output_error = relative_error(baseline.outputs, variant.evaluation.outputs)


def _agreement(baseline: Evaluation, variant: Evaluation) -> Agreement | None:
    """Compare answers example by example; ``None`` where single answers are not known."""
    if baseline.right is None or variant.right is None or baseline.answers is None:
        return None
    lost, gained = int((baseline.right & ~variant.right).sum()), int((~baseline.right & variant.right).sum())
    return Agreement(
        same=int((baseline.answers == variant.answers).sum()),
        lost=lost,
        gained=gained,
        p_value=proportions.mcnemar(lost, gained),
    )
