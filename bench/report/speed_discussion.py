"""Sentences on speed-ups; of rows that only simulate low precision there are none, as there are no verdicts on them."""

from __future__ import annotations

from bench.core.units import counted, megabytes, percent, seconds
from bench.core.variant_key import BASELINE
from bench.report.judged import FASTER, SLOWER, Judged, apart, figures, log_speedup
from bench.results.run import Run
from bench.results.verdict import UNDECIDED
from bench.stats.proportions import two_shares
from bench.stats.times import ALPHA, LogRatio, holm, mean_std

SMALL_CALL_S = 200e-6
"""A call that is shorter spends a large part of its time in Python and torch's dispatch: some 50 µs for a network of
two layers (docs/measuring.md)."""
READ_BYTES = 4_000_000
"""Fewer weights stay in a core's own cache, of 1 to 2 MB today, in large part; more are fetched anew by each call."""
ONCE = 0.1
"""Up to this far from one multiply-accumulate a parameter, a weight is used once an example: that of a Linear is, that
of a convolution once for each pixel."""
WORTH_READING = 1.5
"""From this many times smaller on, reading less is a gain worth naming."""


def slower_int8(run: Run, rows: list[Judged]) -> list[str]:
    """Say where int8 lost to fp32 and why that is likely, or that it did nowhere."""
    timed = [(each, size) for each in rows if each.int8 for size in each.speed]
    slower = [(each, size) for each, size in timed if each.speed[size].word == SLOWER]
    if not timed:
        return []
    if not slower:
        faster = sum(each.speed[size].word == FASTER for each, size in timed)
        worst, at = min(timed, key=lambda pair: pair[0].speedup(pair[1]).value)
        nowhere = (
            f"Nowhere beyond doubt (p < {ALPHA:g}): of {counted(len(timed), 'comparison')} {faster} read {FASTER} and "
            f"{len(timed) - faster} {UNDECIDED}; the least speed-up is that of {worst.name} at batch {at}, "
            f"{figures(worst.speedup(at))}."
        )
        return [nowhere]
    return [
        f"{each.name} is slower at batch {size}, {figures(each.speedup(size))}.{_likely(run, each, size)}"
        for each, size in slower
    ]


def _likely(run: Run, each: Judged, size: int) -> str:
    """Name what speaks for itself in the figures: what was not quantized, what this CPU lacks, how short a call is."""
    causes = []
    layers, baseline = each.row.layers, each.baseline
    if each.row.scheme == "D" and layers is not None and layers.changed < layers.total:
        causes.append(
            f"dynamic quantization changed {layers.changed} of {layers.total} layers and leaves convolutions in "
            f"float32, so there is little to gain for quantizing at each call"
        )
    causes += _lacking(run, each)
    if each.row.scheme == "AMP":
        causes.append("float32 weights are cast at each call")
    if baseline is not None and size in baseline.latency:
        call_s = mean_std(baseline.latency[size].runs_s).mean
        if call_s < SMALL_CALL_S:
            causes.append(
                f"the model is small, {seconds(call_s)} a call in {BASELINE}, so that dispatch and "
                f"conversions take a large part of it"
            )
    better = next((other for other in sorted(each.speed) if other > size and each.speed[other].word == FASTER), None)
    evidence = f" At batch {better} it is {FASTER}, {figures(each.speedup(better))}." if better else ""
    return (f" Likely: {'; '.join(causes)}." if causes else " The figures name no cause.") + evidence


def _lacking(run: Run, each: Judged) -> list[str]:
    """Return what this CPU lacks for the row's type."""
    isa, x86 = run.machine.isa, run.machine.architecture.lower() in ("x86_64", "amd64")
    if run.settings.device != "cpu":
        return []
    if each.int8 and x86 and not any("VNNI" in flag or "INT8" in flag for flag in isa):
        return ["this CPU has no VNNI, so that an int8 product takes several instructions"]
    if each.row.dtype == "float16" and each.row.scheme == "--" and not any("FP16" in flag for flag in isa):
        return ["this CPU has no float16 arithmetic, so that each operation converts to float32 and back"]
    if each.row.dtype == "bfloat16" and not any("BF16" in flag for flag in isa):
        return ["this CPU has no bfloat16 arithmetic"]
    return []


def slower_elsewhere(run: Run, rows: list[Judged]) -> list[str]:
    """Say of each other technique how often it lost to fp32, where most, and why that is likely."""
    sentences = []
    for technique in dict.fromkeys(each.row.key for each in rows if not each.int8):
        timed = [(each, size) for each in rows if each.row.key == technique for size in each.speed]
        slower = [(each, size) for each, size in timed if each.speed[size].word == SLOWER]
        if not slower:
            continue
        worst, at = min(slower, key=lambda pair: pair[0].speedup(pair[1]).value)
        often = f"{len(slower)} of {counted(len(timed), 'comparison')}"
        where = f"{'most ' if len(slower) > 1 else ''}on {worst.model} at batch {at}"
        sentences.append(
            f"`{technique}` is slower than {BASELINE} in {often}, {where}: {figures(worst.speedup(at))}."
            f"{_likely(run, worst, at)}"
        )
    return sentences


def dynamic_or_static(rows: list[Judged]) -> list[str]:
    """Hold the two int8 techniques of each model against each other."""
    pairs = []
    for model in dict.fromkeys(each.model for each in rows):
        found = {each.row.scheme: each for each in rows if each.model == model and each.int8}
        if "D" in found and "S" in found:
            pairs.append((found["D"], found["S"]))
    timed = [(pair, size) for pair in pairs for size in pair[0].speed if size in pair[1].speed]
    differs = apart([_times(dynamic, static, size) for (dynamic, static), size in timed])
    told = [found for found, differ in zip(timed, differs, strict=True) if differ]
    rest = [found for found, differ in zip(timed, differs, strict=True) if not differ]
    sentences = []
    for pair in pairs:
        for ahead, behind in (pair[::-1], pair):
            sizes = [size for of, size in told if of is pair and ahead.speedup(size).value > behind.speedup(size).value]
            if sizes:
                each = " and ".join(
                    f"{figures(ahead.speedup(size))} against {figures(behind.speedup(size))} at batch {size}"
                    for size in sizes
                )
                sentences.append(f"{ahead.name} is ahead of `{behind.row.key}`: {each}{_layers(ahead, behind)}.")
    by_model = {pair[0].model: " and ".join(str(size) for of, size in rest if of is pair) for pair in pairs}
    if where := ", ".join(f"{model} at batch {sizes}" for model, sizes in by_model.items() if sizes):
        sentences.append(f"Neither is called ahead where that might be chance (p ≥ {ALPHA:g}): {where}.")
    return sentences + _agreements(pairs)


def _times(one: Judged, other: Judged, size: int) -> tuple[LogRatio, LogRatio]:
    """Return what the two take of a common measure: the reference workload, whose errors are known better, or fp32."""
    if size in one.row.relative_latency and size in other.row.relative_latency:
        return one.row.relative_latency[size].log_ratio, other.row.relative_latency[size].log_ratio
    return log_speedup(one.speedup(size)), log_speedup(other.speedup(size))


def _layers(ahead: Judged, behind: Judged) -> str:
    one, other = ahead.row.layers, behind.row.layers
    if one is None or other is None or one.changed <= other.changed:
        return ""
    return f"; it changed {one.changed} of {one.total} layers, the other {other.changed}"


def _agreements(pairs: list[tuple[Judged, Judged]]) -> list[str]:
    """Say which of the two answers more examples as fp32 does."""
    known = [(pair, one, other) for pair in pairs if (one := pair[0].alike) and (other := pair[1].alike)]
    p_values = holm([two_shares(*one, *other) for _, one, other in known])
    sentences = []
    for ((dynamic, static), one, other), p_value in zip(known, p_values, strict=True):
        if p_value < ALPHA:
            shares = [(one[0] / one[1], dynamic), (other[0] / other[1], static)]
            (most, closer), (least, farther) = sorted(shares, key=lambda found: -found[0])
            answers = f"{percent(most)} of the examples as {BASELINE} does"
            sentences.append(f"{closer.name} answers {answers}, `{farther.row.key}` {percent(least)}.")
    return sentences


def batch_sizes(rows: list[Judged]) -> list[str]:
    """Say of each technique where its speed-up at the largest batch size is another than at the smallest."""
    sentences, risen = [], []
    several = [each for each in rows if len(each.speed) > 1]
    differs = apart(
        [(log_speedup(each.speedup(min(each.speed))), log_speedup(each.speedup(max(each.speed)))) for each in several]
    )
    for technique in dict.fromkeys(each.row.key for each in rows):
        timed = [(each, differ) for each, differ in zip(several, differs, strict=True) if each.row.key == technique]
        moved = [each for each, differ in timed if differ]
        up = sorted((each for each in moved if _growth(each) > 1), key=_growth, reverse=True)
        down = sorted((each for each in moved if _growth(each) < 1), key=_growth)
        risen += up
        for word, group in (("more", up), ("less", down)):
            if group:
                most = group[0]
                few, many = min(most.speed), max(most.speed)
                sentences.append(
                    f"`{technique}` is worth {word} at batch {many} than at batch {few} on {len(group)} of "
                    f"{counted(len(timed), 'model')}, {'most so on ' if len(group) > 1 else ''}{most.model}: "
                    f"{figures(most.speedup(many))} and {figures(most.speedup(few))}."
                    f"{_reading(most, few) if group is down else ''}"
                )
    return sentences + _per_example(risen)


def _reading(each: Judged, size: int) -> str:
    """Say what a call of one example gains by small weights, where most of it is likely the reading of them."""
    row, baseline = each.row, each.baseline
    if size > 1 or each.speed[size].word != FASTER or baseline is None or not (baseline.macs and baseline.params):
        return ""
    packed, whole = row.packed_bytes or 0, baseline.packed_bytes or 0
    once = abs(baseline.macs / baseline.params - 1) < ONCE
    if not once or whole < READ_BYTES or not 0 < packed < whole / WORTH_READING:
        return ""
    return (
        f" Likely: a call of one example uses each weight once and is mostly the reading of them, here "
        f"{megabytes(packed)} MB in the place of {megabytes(whole)}."
    )


def _growth(each: Judged) -> float:
    return each.speedup(max(each.speed)).value / each.speedup(min(each.speed)).value


def _per_example(risen: list[Judged]) -> list[str]:
    """Show, on the row where it is plainest, how what a call costs by itself is shared by a batch."""
    known = [each for each in risen if each.baseline is not None and each.row.latency.keys() >= each.speed.keys()]
    if not known:
        return []
    most = max(known, key=_growth)
    few, many = min(most.speed), max(most.speed)
    alone, shared = (mean_std(most.row.latency[size].runs_s).mean / size for size in (few, many))
    sentence = (
        f"Likely, where a technique is worth more at batch {many}: what a call costs whatever its batch (dispatch, "
        f"conversions) hides much of the gain at batch {few}, and {many} examples share it at batch {many}. "
        f"{most.name} takes {seconds(alone)} an example at batch {few} and {seconds(shared)} at batch {many}."
    )
    return [sentence]
