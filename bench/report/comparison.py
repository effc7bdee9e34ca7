"""Every variant against fp32: speed-up, accuracy, size, and the verdicts on them."""

from __future__ import annotations

from collections import Counter

from bench.report.lab import caption
from bench.report.tables import table
from bench.result import BASELINE, Data, Latency, Row, Run
from bench.summary import ALPHA, Interval, describe, wilson
from bench.units import MISSING, counted, megabytes, percent, ratio, seconds
from bench.verdict import NOT_COMPARABLE, UNDECIDED, Verdict, accuracy_verdicts, latency_verdicts

HOW_TO_READ = (
    "Speed-up: fp32's time / the variant's, each the mean of the fastest quarter of the paired rounds, with its 95 % "
    "interval. Accuracy: 95 % Wilson interval. Verdict: a word is given only where at most one column of equals in "
    f"{1 / ALPHA:,.0f} would get one (Holm); = is no difference detected."
)
SIZES = (
    "Packed: the smallest file of ours that reloads, in a fresh process, to the same logits to the bit, verified in "
    "this run. × smaller: fp32's packed file / the variant's. MACs: multiply-accumulates of one "
    "example. Memory: growth of the variant's process from before loading to the peak of one batch of {batch}. Layers: "
    "Linear and convolution layers that the technique changed."
)


def comparison(run: Run, data: Data) -> str:
    """Return one task's speed-ups and accuracies with their intervals and verdicts."""
    sizes = run.settings.batch_sizes
    header = [
        "Model",
        "Technique",
        *(text for size in sizes for text in (f"Speed-up B{size}", "Verdict")),
        "Accuracy",
        "Verdict",
        "Agreement",
    ]
    rows = run.rows_of(data.task)
    speeds = [latency_verdicts(rows, size) for size in sizes]
    accuracies = accuracy_verdicts(rows)
    cells = [
        [
            row.model,
            row.technique,
            *(
                text
                for size, verdicts in zip(sizes, speeds, strict=True)
                for text in (_speedup(row, size), _word(verdicts[position]))
            ),
            _accuracy(row),
            _word(accuracies[position]),
            percent(row.agreement.same / row.accuracy.total) if row.agreement and row.accuracy else MISSING,
        ]
        for position, row in enumerate(rows)
    ]
    return f"### {data.title}: against fp32\n\n{caption(run, data)}\n\n{table(cells, header)}"


def _word(verdict: Verdict) -> str:
    return {UNDECIDED: "=", NOT_COMPARABLE: ""}.get(verdict.word, verdict.word)


def sizes_and_work(run: Run, data: Data) -> str:
    """Return one task's packed sizes, multiply-accumulates and memory."""
    header = ["Model", "Technique", "Packed (MB)", "× smaller", "By dtype (bytes)", "MACs", "Memory (MB)", "Layers"]
    rows = run.rows_of(data.task)
    baselines = {row.model: row.packed_bytes for row in rows if row.technique == BASELINE}
    cells = [
        [
            row.model,
            row.technique,
            megabytes(row.packed_bytes) if row.packed_bytes is not None else MISSING,
            _smaller(row.packed_bytes, baselines.get(row.model)),
            ", ".join(f"{dtype} {count:,}" for dtype, count in row.bytes_by_dtype.items()) or MISSING,
            f"{row.macs:,}" if row.macs is not None else MISSING,
            megabytes(row.peak_memory_bytes) if row.peak_memory_bytes is not None else MISSING,
            f"{row.layers.changed} of {row.layers.total}" if row.layers else MISSING,
        ]
        for row in rows
    ]
    return f"### {data.title}: size and work\n\n{table(cells, header)}"


def scores(run: Run, data: Data) -> str:
    """Return one task's scores by rule; empty where no technique is a low-bit one."""
    rows = [row for row in run.rows_of(data.task) if row.scores]
    if not any(row.simulated for row in rows):
        return ""
    rules = list(rows[0].scores)
    header = ["Model", "Technique", "MACs × bits / 32 (M)", *rules]
    cells = [
        [
            row.model,
            row.technique,
            f"{row.bit_operations / 1e6:,.3f}" if row.bit_operations is not None else MISSING,
            *(f"{row.scores[rule]:.4f}" for rule in rules),
        ]
        for row in rows
    ]
    return f"### {data.title}: scores\n\n{table(cells, header)}"


def _smaller(packed_bytes: int | None, baseline_bytes: int | None) -> str:
    return f"{baseline_bytes / packed_bytes:.2f}×" if packed_bytes and baseline_bytes else MISSING


def latency_details(run: Run, data: Data) -> str:
    """Return one task's latencies over all rounds, and how many blocks were repeated."""
    header = ["Model", "Technique", "Batch", "Mean", "Std", "Median", "p95", "p99", "Rounds", "Starts", "Repeated"]
    cells = []
    for row in run.rows_of(data.task):
        for size, latency in row.latency.items():
            times, rounds = _times(latency)
            cells.append(
                [
                    row.model,
                    row.technique,
                    size,
                    *(seconds(value) if value is not None else MISSING for value in times),
                    rounds,
                    len(latency.starts),
                    len(latency.repeated_s),
                ]
            )
    return f"### {data.title}: latency of all rounds\n\n{table(cells, header)}"


def _times(latency: Latency) -> tuple[list[float | None], int]:
    """Return mean, standard deviation, median, p95 and p99, and of how many rounds."""
    if latency.summary is not None:
        left = latency.summary
        return [left.mean_s, left.std_s, left.median_s, None, None], left.rounds
    whole = describe(latency.rounds_s)
    return [whole.mean, whole.std, whole.median, whole.p95, whole.p99], whole.n


def verdicts(run: Run) -> str:
    """Return the sentences on each row that is not the baseline."""
    lines = []
    for data in run.data:
        rows = run.rows_of(data.task)
        families = [latency_verdicts(rows, size) for size in run.settings.batch_sizes] + [accuracy_verdicts(rows)]
        for position, row in enumerate(rows):
            if row.technique != BASELINE:
                lines.append(f"- `{row.task}/{row.model}` `{row.technique}`")
                lines += [
                    f"  - {sentence}" for sentence in dict.fromkeys(family[position].sentence for family in families)
                ]
    return "\n".join(lines)


def quiet(run: Run) -> str:
    """Return how many blocks were disturbed, and by what."""
    timed = [latency for row in run.rows for latency in row.latency.values()]
    blocks = sum(len(latency.rounds_s) + len(latency.repeated_s) for latency in timed)
    repeated = sum(len(latency.repeated_s) for latency in timed)
    kept = sum(len(latency.disturbed) for latency in timed)
    causes: Counter[str] = Counter()
    for latency in timed:
        causes.update(latency.causes)
    named = ", ".join(f"{count:,} × {cause}" for cause, count in causes.most_common()) or "none known"
    return (
        f"Of {counted(blocks, 'block')} timed, {repeated:,} were disturbed from outside and repeated, {kept:,} were "
        f"still disturbed at the last repetition (causes: {named}). `run.json` has all of them."
    )


def _speedup(row: Row, size: int) -> str:
    if row.technique == BASELINE and size in row.latency:
        return "1"
    found = row.speedup.get(size)
    return ratio(Interval(found.value, found.low, found.high, found.confidence)) if found else MISSING


def _accuracy(row: Row) -> str:
    if row.accuracy is None:
        return percent(row.accuracy_share) if row.accuracy_share is not None else MISSING
    interval = wilson(row.accuracy.correct, row.accuracy.total)
    return f"{percent(interval.value)} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
