"""Makes the variants of one model and measures all of them but their latencies."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.errors import WorkerError
from bench.core.variant_key import BASELINE
from bench.results.evaluation import Evaluation
from bench.results.row import Agreement, Row
from bench.results.settings import Settings
from bench.running import output_check
from bench.running.parallel import Parallel, VariantCall
from bench.running.variant_under_test import VariantUnderTest, end
from bench.stats import proportions
from bench.stats.relative_error import relative_error
from bench.worker.messages import VARIANT_HOST, LoadedFacts
from bench.worker.process import Worker, close_all
from bench.worker.user.model import BuiltModel


def make_variants(variants: Sequence[VariantUnderTest], settings: Settings, parallel: Parallel) -> None:
    """Build, pack, answer and compare; packed files stay, for the processes that are timed.

    Raises ``CheckpointError`` and ``UserModelError``, which concern all variants; any other failure is a row.
    """
    show = parallel.bars.stage(f"make the variants of {parallel.model}")
    show(0, 1)
    try:
        for variant in variants:
            variant.start(VARIANT_HOST, settings.timeout_s)
        for variant, facts in parallel.call("build", variants, lambda variant: (variant.request,)):
            variant.facts = facts
        _answer_and_verify(variants, settings, parallel)
        _compare_answers(variants)
        show(1, 1)
    finally:
        end(variants)


def tally(rows: Sequence[Row]) -> str:
    """Count a model's rows by status."""
    counts = {status: sum(row.status == status for row in rows) for status in ("ok", "noisy", "unsupported", "failed")}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _answer_and_verify(variants: Sequence[VariantUnderTest], settings: Settings, parallel: Parallel) -> None:
    """Answer the test set; beside that load every file in a fresh process and compare the outputs."""
    living = [(variant, variant.worker) for variant in variants if variant.worker is not None]
    stored = [variant for variant, _ in living if variant.facts is not None and variant.facts.deploy_bytes]
    fresh = [Worker(VARIANT_HOST, settings.timeout_s) for _ in stored]
    evaluations = [VariantCall(variant, worker, "evaluate") for variant, worker in living if variant.before is None]
    verifications = [
        VariantCall(variant, worker, "verify", (variant.request,))
        for variant, worker in zip(stored, fresh, strict=True)
    ]
    loaded: list[tuple[VariantUnderTest, LoadedFacts | Exception]] = []
    try:
        for call, outcome in parallel.outcomes(evaluations + verifications):
            if call.method == "verify":
                call.worker.close()
                loaded.append((call.variant, outcome))
            elif isinstance(outcome, Exception):
                call.variant.fail(_while_judging(call.variant, outcome))
            else:
                call.variant.evaluation = outcome
    finally:
        close_all(fresh)
    for variant, outcome in loaded:  # not before: a failure ends a process, which may be answering still
        _note_verification(variant, outcome)


def _note_verification(variant: VariantUnderTest, outcome: LoadedFacts | Exception) -> None:
    """Keep what loading a file took; a packed file that is not the variant is a note, a runtime's own a failure."""
    if variant.facts is None:
        return
    if isinstance(outcome, Exception):
        fault = f"its file cannot be reloaded ({outcome})"
    elif outcome.fingerprint != variant.facts.fingerprint and _answers_at_random(variant):
        variant.loaded = outcome
        variant.notes.append("its file reloads, and whether to the same outputs is not known: they are random")
        return
    elif outcome.fingerprint != variant.facts.fingerprint:
        fault = "its file reloads to other logits"
    else:
        variant.loaded = outcome
        return
    if variant.facts.packed_bytes is None:  # the file is what is measured
        variant.fail(WorkerError(fault))
    else:
        variant.notes.append(f"no packed size: {fault}")


def _answers_at_random(variant: VariantUnderTest) -> bool:
    workload = variant.request.workload
    return isinstance(workload, BuiltModel) and workload.facts.random


def _while_judging(variant: VariantUnderTest, error: Exception) -> Exception:
    """Name the user's function where the process did not survive it."""
    workload = variant.request.workload
    if isinstance(error, WorkerError) and isinstance(workload, BuiltModel) and workload.definition.evaluate:
        return WorkerError(f"{error}, while {workload.definition.evaluate.words} judged it")
    return error


def _compare_answers(variants: Sequence[VariantUnderTest]) -> None:
    fp32 = next((variant for variant in variants if variant.key == BASELINE), None)
    if fp32 is None or fp32.evaluation is None:
        return
    baseline = fp32.evaluation
    for variant in variants:
        if variant.evaluation is None or variant is fp32:
            continue
        variant.agreement = _agreement(baseline, variant.evaluation)
        if variant.facts is not None and variant.facts.own_draws:  # its distance from fp32 is that of two draws
            continue
        if baseline.answers is None and baseline.outputs is not None and variant.evaluation.outputs is not None:
            variant.output_error = relative_error(baseline.outputs, variant.evaluation.outputs)
        same_weights = variant.request.workload == fp32.request.workload and not variant.technique.trained_as
        if same_weights and (warning := output_check.warning(baseline, variant.evaluation)):
            variant.notes.append(warning)


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
