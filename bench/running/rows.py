"""Makes the rows of one model: converts every variant, then measures all of them beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.progress import Bars
from bench.results.evaluation import Evaluation
from bench.results.run import BASELINE, Agreement, Row, Settings
from bench.running.latency import measure_latency
from bench.running.measurement import VariantUnderTest
from bench.running.parallel import Call, Stage
from bench.running.reference import ReferenceWorkload
from bench.stats import proportions, times
from bench.worker.messages import VARIANT_HOST
from bench.worker.process import Worker
from bench.worker.user.model import UserEvaluation


def measure_model(
    subjects: Sequence[VariantUnderTest],
    settings: Settings,
    cores: int,
    bars: Bars,
    reference: ReferenceWorkload | None = None,
) -> list[Row]:
    """Return a row for each variant of one model.

    Conversion and accuracy use all ``cores`` at once; latency has the machine to itself, but for the ``reference``.
    Raises ``CheckpointError``, and ``RequestError`` if the budget is too short; any other failure is a row.
    """
    stage = Stage(subjects, cores, bars, f"{subjects[0].request.task}/{subjects[0].request.model}")
    show = bars.stage(f"measure {stage.name}")
    show(0, 1)
    try:
        for subject in subjects:
            subject.start(VARIANT_HOST, settings.timeout_s)
        for subject, facts in stage.call("build", subjects, lambda subject: (subject.request,)):
            subject.facts = facts
        _answer_and_verify(subjects, settings, stage)
        _compare_answers(subjects)
        measure_latency(subjects, settings, stage, reference)
    finally:
        show(1, 1)
        if reference is not None:
            reference.close()
        for subject in subjects:
            subject.close()
            subject.request.packed.unlink(missing_ok=True)
    return [subject.row() for subject in subjects]


def tally(rows: Sequence[Row]) -> str:
    """Say in a few words what became of a model's rows."""
    counts = {status: sum(row.status == status for row in rows) for status in ("ok", "noisy", "unsupported", "failed")}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _answer_and_verify(subjects: Sequence[VariantUnderTest], settings: Settings, stage: Stage) -> None:
    """Answer the test set; beside that rebuild every packed file in a fresh process and compare the logits."""
    living = [(subject, subject.worker) for subject in subjects if subject.worker is not None]
    packed = [subject for subject, _ in living if subject.facts is not None and subject.facts.packed_bytes]
    fresh = [Worker(VARIANT_HOST, settings.timeout_s) for _ in packed]
    evaluations = [Call(subject, worker, "evaluate") for subject, worker in living]
    reloads = [
        Call(subject, worker, "reload", (subject.request,)) for subject, worker in zip(packed, fresh, strict=True)
    ]
    try:
        for call, outcome in stage.outcomes(evaluations + reloads):
            if call.method == "reload":
                call.worker.close()
                _note_reload(call.subject, outcome)
            elif isinstance(outcome, Exception):
                call.subject.fail(outcome)
            elif isinstance(outcome, UserEvaluation):
                call.subject.user_evaluation = outcome
            else:
                call.subject.evaluation = outcome
    finally:
        for worker in fresh:
            worker.close()


def _note_reload(subject: VariantUnderTest, outcome: object) -> None:
    subject.verified = subject.facts is not None and outcome == subject.facts.fingerprint
    if isinstance(outcome, Exception):
        subject.notes.append(f"no packed size: its file cannot be reloaded ({outcome})")
    elif not subject.verified:
        subject.notes.append("no packed size: its file reloads to other logits")


def _compare_answers(subjects: Sequence[VariantUnderTest]) -> None:
    baseline = next((subject.evaluation for subject in subjects if subject.name == BASELINE), None)
    own = next((subject.user_evaluation for subject in subjects if subject.name == BASELINE), None)
    for subject in subjects:
        if own is not None and subject.name != BASELINE and subject.user_evaluation is not None:
            subject.output_error = times.relative_error(own.outputs, subject.user_evaluation.outputs)
        if baseline is not None and subject.name != BASELINE and subject.evaluation is not None:
            subject.agreement = _agreement(baseline, subject.evaluation)


def _agreement(baseline: Evaluation, variant: Evaluation) -> Agreement:
    lost, gained = int((baseline.right & ~variant.right).sum()), int((~baseline.right & variant.right).sum())
    return Agreement(
        same=int((baseline.answers == variant.answers).sum()),
        lost=lost,
        gained=gained,
        p_value=proportions.mcnemar(lost, gained),
    )
