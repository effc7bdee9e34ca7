"""Every variant against fp32: speed-up, accuracy, size, and the verdicts on them."""

from __future__ import annotations

from collections import Counter

from bench.core.units import MISSING, counted, megabytes, percent, ratio, seconds
from bench.core.variant_key import BASELINE
from bench.report.lab import caption
from bench.report.tables import Figure, Table
from bench.report.times import times
from bench.results.run import Data, Row, Run
from bench.results.verdict import NOT_COMPARABLE, UNDECIDED, Verdict, accuracy_verdicts, latency_verdicts
from bench.stats.proportions import wilson
from bench.stats.times import ALPHA

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


def comparison(run: Run, data: Data) -> Table:
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
            row.key,
            *(
                text
                for size, verdicts in zip(sizes, speeds, strict=True)
                for text in (_speedup(row, size), _word(verdicts[position]))
            ),
            _accuracy(row),
            _word(accuracies[position]),
            _agreement(row),
        ]
        for position, row in enumerate(rows)
    ]
    return Table(header, cells, f"{data.title}: against fp32", caption(run, data))


def _word(verdict: Verdict) -> str:
    return {UNDECIDED: "=", NOT_COMPARABLE: ""}.get(verdict.word, verdict.word)


def sizes_and_work(run: Run, data: Data) -> Table:
    """Return one task's packed sizes, multiply-accumulates and memory."""
    header = ["Model", "Technique", "Packed (MB)", "× smaller", "By dtype (bytes)", "MACs", "Memory (MB)", "Layers"]
    rows = run.rows_of(data.task)
    baselines = {row.model: row.packed_bytes for row in rows if row.key == BASELINE}
    cells = [
        [
            row.model,
            row.key,
            Figure(megabytes(row.packed_bytes), row.packed_bytes) if row.packed_bytes is not None else MISSING,
            _smaller(row.packed_bytes, baselines.get(row.model)),
            ", ".join(f"{dtype} {count:,}" for dtype, count in row.bytes_by_dtype.items()) or MISSING,
            Figure(f"{row.macs:,}", row.macs) if row.macs is not None else MISSING,
            _memory(row),
            Figure(f"{row.layers.changed} of {row.layers.total}", row.layers.changed) if row.layers else MISSING,
        ]
        for row in rows
    ]
    return Table(header, cells, f"{data.title}: size and work")


def scores(run: Run, data: Data) -> Table | None:
    """Return one task's scores by rule; nothing where no technique is a low-bit one."""
    rows = [row for row in run.rows_of(data.task) if row.scores]
    if not any(row.simulated for row in rows):
        return None
    rules = list(rows[0].scores)
    header = ["Model", "Technique", "MACs × bits / 32 (M)", *rules]
    cells = [
        [
            row.model,
            row.key,
            _operations(row),
            *(Figure(f"{row.scores[rule]:.4f}", row.scores[rule]) for rule in rules),
        ]
        for row in rows
    ]
    return Table(header, cells, f"{data.title}: scores")


def _smaller(packed_bytes: int | None, baseline_bytes: int | None) -> str:
    if not packed_bytes or not baseline_bytes:
        return MISSING
    return Figure(f"{baseline_bytes / packed_bytes:.2f}×", baseline_bytes / packed_bytes)


def _memory(row: Row) -> str:
    grown = row.peak_memory_bytes
    return Figure(megabytes(grown), grown) if grown is not None else MISSING


def _operations(row: Row) -> str:
    count = row.bit_operations
    return Figure(f"{count / 1e6:,.3f}", count) if count is not None else MISSING


def latency_details(run: Run, data: Data) -> Table:
    """Return one task's latencies over all rounds, and how many blocks were repeated."""
    header = ["Model", "Technique", "Batch", "Mean", "Std", "Median", "p95", "p99", "Rounds", "Starts", "Repeated"]
    cells = []
    for row in run.rows_of(data.task):
        for size, latency in row.latency.items():
            found = times(latency)
            cells.append(
                [
                    row.model,
                    row.key,
                    size,
                    *(
                        Figure(seconds(value), value) if value is not None else MISSING
                        for value in (found.mean, found.std, found.median, found.p95, found.p99)
                    ),
                    found.rounds,
                    len(latency.starts),
                    len(latency.repeated_s),
                ]
            )
    return Table(header, cells, f"{data.title}: latency of all rounds")


def verdicts(run: Run) -> dict[str, list[str]]:
    """Return the sentences on each row that is not the baseline, by its name in markdown."""
    found = {}
    for data in run.data:
        rows = run.rows_of(data.task)
        families = [latency_verdicts(rows, size) for size in run.settings.batch_sizes] + [accuracy_verdicts(rows)]
        for position, row in enumerate(rows):
            if row.key != BASELINE:
                sentences = list(dict.fromkeys(family[position].sentence for family in families))
                if row.output_error is not None:
                    sentences.append(
                        f"outputs: {percent(row.output_error)} off fp32's on the example inputs (root mean square)"
                    )
                found[f"`{row.full_model}` `{row.key}`"] = sentences
    return found


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
    if row.key == BASELINE and size in row.latency:
        return Figure("1", 1)
    found = row.speedup.get(size)
    if found is None:
        return MISSING
    return Figure(ratio(found.interval), found.value)


def _accuracy(row: Row) -> str:
    if row.accuracy is None:
        return percent(row.accuracy_share) if row.accuracy_share is not None else MISSING
    interval = wilson(row.accuracy.correct, row.accuracy.total)
    text = f"{percent(interval.value)} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    return Figure(text, interval.value)


def _agreement(row: Row) -> str:
    if row.agreement is None or row.accuracy is None:
        return MISSING
    share = row.agreement.same / row.accuracy.total
    return Figure(percent(share), share)
