"""A sensitivity study in markdown."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.units import MISSING, counted, kilobytes, megabytes, percent, ratio, seconds
from bench.core.variant_key import BASELINE, EAGER, VariantKey
from bench.report.lab import where
from bench.report.noise import noise_line
from bench.report.tables import Paint, Table, table, verdict
from bench.results.row import Row
from bench.results.run import Run
from bench.results.sensitivity import Change, LayerStudy, Recommendation, Sensitivity
from bench.results.verdict import accuracy_verdicts, p_text
from bench.results.verdict import cell as verdict_cell
from bench.stats.multiple_tests import ACCURACY_ALPHA

PICTURE_FILE = "sensitivity.svg"

HOW_TO_READ = (
    "Change: accuracy − fp32's on the same examples, in percentage points, with its 95 % score interval (Tango 1998). "
    "p: McNemar's test of as many losses as gains. Verdict: blank where no difference was detected, "
    f"{MISSING} for fp32; verdicts control the family-wise error rate of the study at {100 * ACCURACY_ALPHA:g} % "
    "(Holm). Speed-up: over fp32 in the same rounds, with its 99 % interval."
)
HOW_TO_READ_OWN = (
    "Change: accuracy − fp32's, in percentage points, with the 95 % interval of independent shares (Newcombe 1998): "
    "it is not known which examples were answered right; so there are no verdicts. Output error: root mean square off "
    "fp32's outputs on the example inputs, relative to them. Speed-up: over fp32 in the same rounds, with its 99 % "
    "interval."
)
PACKED = "Packed: the compact file that reloads to the same {outputs}, verified."
ON_RUNTIME = (
    "Changes and speed-ups are relative to fp32 on eager; {runtime} executes all other variants. Its own quantizer "
    "confines the technique to layers, and what lies between them stays float32. File: what {runtime} loads, verified."
)
RANKED = (
    "Layers are ranked by sensitivity: first the one that {loses} most when it alone is quantized; of equals, the one "
    "that gains most when it alone is spared."
)
PACKED_HEADER = ("Packed (kB)", "Size (MB)")
FILE_HEADER = ("File (kB)",)
SIMULATED = (
    "Latency is left out: float32 kernels simulate low precision here, so it says nothing about low-precision kernels."
)


def render(study: Sensitivity, picture: str | None = PICTURE_FILE, paint: Paint = str) -> str:
    """Return the study as one document; ``picture`` is the file it shows, if any; ``paint`` may colour verdicts."""
    [data] = study.run.data
    runtime = "" if study.runtime == EAGER else f"{study.runtime}, "
    parts = [f"# Sensitivity of {study.model} on {runtime}{study.run.machine.cpu}"]
    if data.kind == "synthetic":
        parts.append(
            f"> **Synthetic data.** The figures are measured on a generated stand-in for {data.title}. "
            f"Their accuracies say nothing about the real set."
        )
    how_to_read = _how_to_read(study, own=data.kind == "own")
    parts += [where(study.run, data), how_to_read.replace("Layers are ranked", f"{study.by.capitalize()}s are ranked")]
    if picture and study.has_changes:
        parts.append(f"![Accuracy lost by {study.by} of {study.model}]({picture})")
    for technique in study.techniques:
        parts += _technique(study, technique, paint)
    if study.recommendation is not None:
        parts += _recommendation(study, study.recommendation, paint)
    parts += _notes(study)
    return "\n\n".join(part for part in parts if part) + "\n"


def _how_to_read(study: Sensitivity, own: bool) -> str:
    packed = PACKED.format(outputs="outputs" if own else "logits")
    file = packed if study.runtime == EAGER else ON_RUNTIME.format(runtime=study.runtime)
    return " ".join([HOW_TO_READ_OWN if own else HOW_TO_READ, file, RANKED.format(loses="costs" if own else "loses")])


def _technique(study: Sensitivity, technique: str, paint: Paint) -> list[str]:
    layers, key = study.of(technique), study.key
    references = {BASELINE: "none"}
    if study.runtime != EAGER:
        references = {BASELINE: "none, on eager", key(BASELINE.technique): "none"}
    references[key(technique)] = "all"
    spared = {key(part.others): part.layer for part in layers if part.others is not None}
    parts = [
        f"## `{technique}`",
        f"### Only this {study.by}",
        _rows(study, references | {key(part.only): part.layer for part in layers}, layers).markdown(paint),
    ]
    if spared:
        parts += [f"### All but this {study.by}", _rows(study, references | spared, layers).markdown(paint)]
    if _simulated(study.run, [key(part.only) for part in layers]):
        parts.append(SIMULATED)
    return parts


def _rows(study: Sensitivity, labels: dict[VariantKey, str], layers: Sequence[LayerStudy]) -> Table:
    """Return a table of the rows that ``labels`` name, in its order."""
    weights = {part.layer: f"{part.weights:,}" for part in layers}
    header, cells = _cells(study.run, list(labels))
    return Table(
        [study.by.capitalize(), "Weights", *header],
        [[label, weights.get(label, ""), *row] for label, row in zip(labels.values(), cells, strict=True)],
    )


def _cells(run: Run, keys: Sequence[VariantKey]) -> tuple[list[str], list[list[str]]]:
    """Return the columns that all tables share, and the cells of some rows; latencies unless they are simulated."""
    rows = {row.key: row for row in run.rows}
    words = {row.key: verdict.word for row, verdict in zip(run.rows, accuracy_verdicts(run.rows), strict=True)}
    sizes = [] if _simulated(run, keys) else run.settings.batch_sizes
    packed = all(key.runtime == EAGER for key in rows)
    header = ["Accuracy", "Change (pp)", *_comparison_header(run), *(PACKED_HEADER if packed else FILE_HEADER)]
    header += [text for size in sizes for text in (f"Latency B{size}", f"Speed-up B{size}")]
    cells = []
    for key in keys:
        row = rows[key]
        change = Change.of_row(row, run)
        cells.append(
            [
                _accuracy(row),
                points(change) if change else MISSING,
                *_comparison(run, row, change, words[key]),
                *_sizes(row, packed),
                *(text for size in sizes for text in _latency(row, size)),
            ]
        )
    return header, cells


def _sizes(row: Row, packed: bool) -> list[str]:
    """Return those of eager's packed file and of the model in memory, or that of the file that a runtime loads."""
    if not packed:
        return [MISSING if row.file_bytes is None else kilobytes(row.file_bytes)]
    return [
        MISSING if row.packed_bytes is None else kilobytes(row.packed_bytes),
        MISSING if row.size_bytes is None else megabytes(row.size_bytes),
    ]


def _accuracy(row: Row) -> str:
    if row.accuracy is not None:
        return percent(row.accuracy.correct / row.accuracy.total)
    if row.accuracy_share is not None:
        return percent(row.accuracy_share)
    return MISSING if row.measured else row.status


def _comparison_header(run: Run) -> list[str]:
    return ["Output error"] if _own(run) else ["Lost", "Gained", "p", "Verdict"]


def _comparison(run: Run, row: Row, change: Change | None, word: str) -> list[str]:
    """Return how a row's answers compare with fp32's: one by one, or, of a user's model, by the outputs."""
    if _own(run):
        return [MISSING if row.output_error is None else percent(row.output_error)]
    if change is None or change.p_value is None:
        return [MISSING, MISSING, MISSING, verdict(verdict_cell(word))]
    p_value = p_text(change.p_value).removeprefix("p ").removeprefix("= ")
    return [f"{change.lost:,}", f"{change.gained:,}", p_value, verdict(verdict_cell(word))]


def _own(run: Run) -> bool:
    return run.data[0].kind == "own"


def _latency(row: Row, size: int) -> list[str]:
    if row.simulated or size not in row.latency:
        return [MISSING, MISSING]
    ratio_to_fp32 = row.speedup.get(size)
    speedup = ratio(ratio_to_fp32.interval) if ratio_to_fp32 else MISSING
    return [seconds(row.latency[size].estimate_s, digits=4), "1" if row.key == BASELINE else speedup]


def _simulated(run: Run, keys: Sequence[VariantKey]) -> bool:
    """Return whether all that is measured of some variants but fp32 is simulated."""
    rows = [row for row in run.rows if row.key in keys and row.technique != BASELINE.technique]
    return bool(rows) and all(row.simulated for row in rows if row.latency)


def points(change: Change) -> str:
    """Return a change and its interval in percentage points: ``−0.12 [−0.20, −0.05]``."""
    return f"{_signed(change.value)} [{_signed(change.low)}, {_signed(change.high)}]"


def _signed(share: float) -> str:
    text = f"{100 * share:+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def _recommendation(study: Sensitivity, recommendation: Recommendation, paint: Paint) -> list[str]:
    header, cells = _cells(recommendation.run, [row.key for row in recommendation.run.rows])
    best = study.key(recommendation.technique)
    file, *_ = PACKED_HEADER if study.runtime == EAGER else FILE_HEADER
    rows = [
        [f"`{row.key}`" + (" **recommended**" if row.key == best else ""), *cell]
        for row, cell in zip(recommendation.run.rows, cells, strict=True)
    ]
    steps = [
        [
            f"`{step.technique}`",
            kilobytes(step.packed_bytes) if step.packed_bytes is not None else MISSING,
            _signed(step.predicted),
            points(step.change) if step.change else "failed",
            "yes" if step.fits else "no",
        ]
        for step in recommendation.steps
    ]
    return [
        f"## Recommended within {100 * recommendation.max_drop:g} pp",
        _sentence(recommendation),
        table(
            [[layer, f"`{name}`"] for layer, name in recommendation.layers.items()],
            [study.by.capitalize(), "Technique"],
        ),
        Table(["Technique", *header], rows).markdown(paint),
        "What the search measured, in this order:" if steps else "",
        table(steps, ["Technique", file, "Predicted (pp)", "Change (pp)", "Fits"]),
    ]


def _sentence(recommendation: Recommendation) -> str:
    """Say what was found, and how it is judged."""
    if recommendation.technique == BASELINE.technique:
        return (
            f"No mixture of these techniques loses at most {100 * recommendation.max_drop:g} pp on the "
            f"{counted(recommendation.search.total, 'test example')} of the search, so nothing is recommended."
        )
    if recommendation.held_back is None:
        return (
            f"`{recommendation.technique}` is the smallest mixture found whose accuracy changes by no less than "
            f"{_signed(-recommendation.max_drop)} pp: {points(recommendation.search)}. It was chosen on the very "
            f"{counted(recommendation.search.total, 'example')} that it is judged on, which flatters it: evaluate it "
            f"on examples that the search did not see."
        )
    within = recommendation.held_back.value >= -recommendation.max_drop
    verdict = "within the allowance too" if within else "**a larger loss than allowed, so do not rely on it**"
    return (
        f"`{recommendation.technique}` is the smallest mixture found whose accuracy changes by no less than "
        f"{_signed(-recommendation.max_drop)} pp on every second test example: {points(recommendation.search)}. On the "
        f"{counted(recommendation.held_back.total, 'example')} that the search did not see it changes by "
        f"{points(recommendation.held_back)}: {verdict}. Both are judged by their values; the "
        f"intervals show their uncertainty. The table below is on all test examples."
    )


def _notes(study: Sensitivity) -> list[str]:
    rows = [*study.run.rows, *(study.recommendation.run.rows if study.recommendation else ())]
    problems = [f"`{row.key}` **{row.status}**: {row.reason}" for row in rows if not row.measured]
    problems += noise_line(rows, study.run.settings.precision)
    notes = [note for row in rows for note in row.notes]
    lines = [f"- {line}" for line in dict.fromkeys([*problems, *notes])]
    return ["## Notes", "\n".join(lines)] if lines else []
