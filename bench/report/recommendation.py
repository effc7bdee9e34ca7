"""Recommendations in sentences: one for a person in a hurry, and below it what stands beside and against it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.comparing import recommendation as decision
from bench.comparing.objective import BETTER
from bench.core.units import counted, megabytes, percent, ratio, seconds
from bench.core.variant_key import BASELINE, VariantKey
from bench.report.blocks import Listing
from bench.report.command import export_command
from bench.report.names import points
from bench.results.change import signed
from bench.results.recommendation import (
    AccuracyChange,
    Candidate,
    Constraints,
    ModelRecommendation,
    Recommendation,
    Rejection,
)
from bench.results.run import Run
from bench.stats.interval import LATENCY_CONFIDENCE, Interval

HOW_TO_READ = (
    "The fastest variant at batch {batch} that is shown to lose no more than is allowed: the 95 % interval of the "
    "change of its accuracy, paired on the same examples, does not reach so far down. Allowed are 0.5 points, or more "
    "where the test set is too small to show that. Sizes are those of the files, without the runtime. "
    "`bench recommend` takes other limits and objectives."
)


def recommend(run: Run, constraints: Constraints, models: Sequence[str] = ()) -> Recommendation:
    """Return the recommendation for each model with its sentence and the command that exports it.

    Raises ``RequestError`` and ``UnknownNameError`` as ``bench.comparing.recommendation.recommend``.
    """
    made = decision.recommend(run, constraints, models)
    rows = {(row.full_model, row.key): row for row in run.rows}
    described = [
        model.model_copy(
            update={
                "sentence": sentence(model, constraints),
                "command": export_command(run, rows[model.model, model.best.variant]) if model.best else "",
            }
        )
        for model in made.models
    ]
    return made.model_copy(update={"models": described})


def chapter(run: Run) -> list[str | Listing]:
    """Return what a report says; nothing of runs that have no other variant than fp32, or none that were paired."""
    models = of_run(run)
    if not models:
        return []
    how_to_read = HOW_TO_READ.format(batch=models[0].batch_size)
    return [how_to_read, Listing([(model.sentence, details(model)) for model in models])]


def of_run(run: Run) -> list[ModelRecommendation]:
    """Return what is recommended where nobody gives limits, of the models that ``chapter`` has something to say of."""
    models = {row.full_model for row in run.rows if row.key != BASELINE and row.measured}
    if run.timed_by != "bench" or not models:
        return []
    return recommend(run, Constraints(), sorted(models)).models


def render(recommendation: Recommendation) -> str:
    """Return the sentence on each model, and below each what stands beside and against it, in markdown."""
    lines = []
    for model in recommendation.models:
        lines += [f"- {model.sentence}", *(f"  - {detail}" for detail in details(model))]
    return "\n".join(lines)


def sentence(model: ModelRecommendation, constraints: Constraints) -> str:
    """Return what to deploy, what that gains and loses."""
    best, within = model.best, _limits(model, constraints)
    if best is None:
        shown = f"no variant is shown to keep to {within or 'anything'}"
        return f"`{model.model}`: **nothing to recommend**: {shown}{_open(model)}."
    if best.variant == BASELINE:
        at = f" at batch {model.batch_size}" if constraints.objective == "latency" else ""
        shown = f"nothing else is shown to be {BETTER[constraints.objective]}{at}"
        keeping = f" and to keep to {within}" if within else ""
        return f"`{model.model}`: **keep {_named(BASELINE)}**: {shown}{keeping}{_open(model)}."
    gains = ", ".join(_gains(best, model.batch_size))
    return f"`{model.model}`: **deploy {_named(best.variant)}**: {gains}; {_loss(model, best)}."


def _open(model: ModelRecommendation) -> str:
    """Return how many variants may yet be better."""
    noisy = sum(rejection.reason.startswith("noisy") for rejection in model.left_out)
    parts = [f"{counted(noisy, 'variant')} too noisy to tell"] if noisy else []
    parts += [f"{counted(len(model.undecided), 'variant')} not decided by this test set"] if model.undecided else []
    return f" ({' and '.join(parts)})" if parts else ""


def details(model: ModelRecommendation) -> list[str]:
    """Return the runners-up, what was not recommended and why, and the command that exports what was."""
    lines = [
        f"cannot be told from it: {_named(other.variant)}, {_beside(other, model.batch_size)}"
        for other in model.runners_up
    ]
    lines += [f"not decided: {reasons}" for reasons in _together(model.undecided)]
    lines += [f"beyond the limits: {reasons}" for reasons in _together(model.outside)]
    lines += [f"no gain: {reasons}" for reasons in _together(model.no_gain)]
    lines += [f"left out: {reasons}" for reasons in _together(model.left_out)]
    return lines + ([f"export it: `{model.command}`"] if model.command else [])


def _named(variant: VariantKey) -> str:
    return f"`{variant.technique}` on {variant.runtime}"


def _gains(best: Candidate, batch_size: int) -> list[str]:
    gains = [_speed(best, batch_size)] if best.speedup else []
    gains += [_size(best)] if best.file_bytes is not None else []
    return gains or ["what it gains is not known"]


def _speed(candidate: Candidate, batch_size: int) -> str:
    assert candidate.speedup is not None  # noqa: S101 — for the type checker
    word = "faster" if candidate.speedup.low > 1 else "slower" if candidate.speedup.high < 1 else "the speed"
    latency = f" ({seconds(candidate.latency_s)})" if candidate.latency_s is not None else ""
    return f"{ratio(candidate.speedup.interval)} {word}{latency} at batch {batch_size}"


def _size(candidate: Candidate) -> str:
    size = f"{megabytes(candidate.file_bytes or 0)} MB"
    return f"{candidate.smaller:.2f}× smaller ({size})" if candidate.smaller is not None else f"a file of {size}"


def _beside(other: Candidate, batch_size: int) -> str:
    parts = [_speed(other, batch_size)] if other.speedup else []
    if other.slower is not None:
        value, low, high = other.slower
        parts.append(f"{ratio(Interval(value, low, high, LATENCY_CONFIDENCE))} the recommended one's time")
    parts += [_size(other)] if other.file_bytes is not None else []
    return ", ".join([*parts, *([_change(other.change)] if other.change else [])])


def _change(change: AccuracyChange) -> str:
    interval = f"[{signed(change.low)}, {signed(change.high)}]".replace("-", "−")
    how = "" if change.paired else ", unpaired"
    return f"accuracy {points(100 * change.value)} {interval} on {counted(change.examples, 'example')}{how}"


def _loss(model: ModelRecommendation, best: Candidate) -> str:
    if best.change is not None and model.max_drop is not None:
        allowed = f", shown to lose no more than {_points(model.max_drop)} (95 % confidence)"
        return _change(best.change) + allowed
    outputs = ""
    if best.output_error is not None:
        outputs = f", and its outputs are {percent(best.output_error)} off fp32's (root mean square)"
    return f"its accuracy was not judged{outputs}"


def _points(share: float) -> str:
    return f"{100 * share:g} point{'' if share == 0.01 else 's'}"


def _limits(model: ModelRecommendation, constraints: Constraints) -> str:
    limits = [f"a loss of at most {_points(model.max_drop)}"] if model.max_drop is not None else []
    if constraints.max_size_bytes is not None:
        limits.append(f"{megabytes(constraints.max_size_bytes)} MB")
    if constraints.max_latency_s is not None:
        limits.append(f"{seconds(constraints.max_latency_s)} at batch {model.batch_size}")
    return " and ".join(limits)


def _together(rejections: Sequence[Rejection]) -> list[str]:
    """Return each reason once, behind the variants that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for rejection in rejections:
        by_reason.setdefault(rejection.reason, []).append(f"`{rejection.variant}`")
    return [f"{', '.join(variants)}: {reason}" for reason, variants in by_reason.items()]
