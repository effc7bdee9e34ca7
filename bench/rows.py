"""Makes the rows of one model: converts every variant, then measures all of them beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from bench import summary
from bench.errors import CheckpointError
from bench.progress import Bars
from bench.result import BASELINE, Agreement, Row, Settings
from bench.stage import Stage
from bench.subject import Subject
from bench.timing import measure_latency
from bench.variant import VARIANT_HOST, Evaluation
from bench.worker import Job, Worker, WorkerError, run_jobs


def measure_model(subjects: Sequence[Subject], settings: Settings, cores: int, bars: Bars) -> list[Row]:
    """Return a row for each variant of one model.

    Conversion and accuracy use all ``cores`` at once; latency has the machine to itself.
    Raises ``CheckpointError``, and ``RequestError`` if the budget is too short; any other failure is a row.
    """
    stage = Stage(subjects, cores, bars, f"{subjects[0].request.task}/{subjects[0].request.model}")
    try:
        for subject in subjects:
            subject.start(VARIANT_HOST, settings.timeout_s)
        for subject, facts in stage.call("build", lambda subject: (subject.request,)):
            subject.facts = facts
        _verify(subjects, settings, cores)
        for subject, evaluation in stage.call("evaluate"):
            subject.evaluation = evaluation
        _compare_answers(subjects)
        measure_latency(subjects, settings, stage)
    finally:
        for subject in subjects:
            subject.close()
            subject.request.packed.unlink(missing_ok=True)
    return [subject.row() for subject in subjects]


def _verify(subjects: Sequence[Subject], settings: Settings, cores: int) -> None:
    """Reload every packed file in a fresh process, and hold its logits against the variant's."""
    packed = [(subject, subject.facts) for subject in subjects if subject.facts and subject.facts.packed_bytes]
    workers = [Worker(VARIANT_HOST, settings.timeout_s) for _ in packed]
    try:
        jobs = [Job(worker, "reload", (subject.request,)) for worker, (subject, _) in zip(workers, packed, strict=True)]
        for position, outcome in run_jobs(jobs, max(1, cores // settings.threads)):
            subject, facts = packed[position]
            subject.verified = outcome == facts.fingerprint
            if isinstance(outcome, (WorkerError, CheckpointError)):
                subject.notes.append(f"no packed size: its file cannot be reloaded ({outcome})")
            elif not subject.verified:
                subject.notes.append("no packed size: its file reloads to other logits")
            workers[position].close()
    finally:
        for worker in workers:
            worker.close()


def _compare_answers(subjects: Sequence[Subject]) -> None:
    baseline = next((subject.evaluation for subject in subjects if subject.name == BASELINE), None)
    for subject in subjects:
        if baseline is not None and subject.name != BASELINE and subject.evaluation is not None:
            subject.agreement = _agreement(baseline, subject.evaluation)


def _agreement(baseline: Evaluation, variant: Evaluation) -> Agreement:
    lost, gained = int((baseline.right & ~variant.right).sum()), int((~baseline.right & variant.right).sum())
    return Agreement(
        same=int((baseline.answers == variant.answers).sum()),
        lost=lost,
        gained=gained,
        p_value=summary.mcnemar(lost, gained),
    )
