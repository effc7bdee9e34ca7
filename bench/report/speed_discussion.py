"""Sentences on speed-ups; of rows that only simulate low precision there are none, as there are no verdicts on them."""

from __future__ import annotations

from bench.report.judged import FASTER, SLOWER, Judged, apart, figures
from bench.result import BASELINE, Run
from bench.summary import mean_std, wilson
from bench.units import counted, megabytes, percent, seconds
from bench.verdict import UNDECIDED

SMALL_CALL_S = 200e-6
"""A call that is shorter spends a large part of its time in Python and torch's dispatch: some 50 µs for a network of
two layers (docs/measuring.md)."""


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
            f"Nowhere in this run: of {counted(len(timed), 'comparison')} {faster} read {FASTER} and "
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
    for technique in dict.fromkeys(each.row.technique for each in rows if not each.int8):
        timed = [(each, size) for each in rows if each.row.technique == technique for size in each.speed]
        slower = [(each, size) for each, size in timed if each.speed[size].word == SLOWER]
        if not slower:
            continue
        worst, at = min(slower, key=lambda pair: pair[0].speedup(pair[1]).value)
        sentences.append(
            f"`{technique}` is slower than {BASELINE} in {len(slower)} of {counted(len(timed), 'comparison')}, most on "
            f"{worst.model} at batch {at}: {figures(worst.speedup(at))}.{_likely(run, worst, at)}"
        )
    return sentences


def dynamic_or_static(rows: list[Judged]) -> list[str]:
    """Hold the two int8 techniques of each model against each other."""
    sentences, alike = [], []
    for model in dict.fromkeys(each.model for each in rows):
        found = {each.row.scheme: each for each in rows if each.model == model and each.int8}
        if "D" not in found or "S" not in found:
            continue
        dynamic, static = found["D"], found["S"]
        both = [size for size in dynamic.speed if size in static.speed]
        same = [size for size in both if not apart(dynamic.speedup(size), static.speedup(size))]
        alike += [f"{model} at batch {size}" for size in same]
        for ahead, behind in ((static, dynamic), (dynamic, static)):
            sizes = [
                size for size in both if size not in same and ahead.speedup(size).value > behind.speedup(size).value
            ]
            if sizes:
                each = " and ".join(
                    f"{figures(ahead.speedup(size))} against {figures(behind.speedup(size))} at batch {size}"
                    for size in sizes
                )
                sentences.append(f"{ahead.name} is ahead of `{behind.row.technique}`: {each}{_layers(ahead, behind)}.")
        sentences += _agreements(dynamic, static)
    if alike:
        sentences.append(f"Neither is called ahead where the intervals overlap: {', '.join(alike)}.")
    return sentences


def _layers(ahead: Judged, behind: Judged) -> str:
    one, other = ahead.row.layers, behind.row.layers
    if one is None or other is None or one.changed <= other.changed:
        return ""
    return f"; it changed {one.changed} of {one.total} layers, the other {other.changed}"


def _agreements(dynamic: Judged, static: Judged) -> list[str]:
    """Say which of the two answers more examples as fp32 does, where the intervals of the shares do not overlap."""
    shares = [
        (wilson(each.row.agreement.same, each.row.accuracy.total), each)
        for each in (dynamic, static)
        if each.row.agreement is not None and each.row.accuracy is not None
    ]
    if len(shares) < 2:
        return []
    (most, closer), (least, farther) = sorted(shares, key=lambda pair: -pair[0].value)
    if most.low <= least.high:
        return []
    alike = f"{percent(most.value)} of the examples as {BASELINE} does"
    return [f"{closer.name} answers {alike}, `{farther.row.technique}` {percent(least.value)}."]


def batch_sizes(rows: list[Judged]) -> list[str]:
    """Say of each technique where its speed-up at the largest batch size is another than at the smallest."""
    sentences, risen = [], []
    for technique in dict.fromkeys(each.row.technique for each in rows):
        timed = [each for each in rows if each.row.technique == technique and len(each.speed) > 1]
        moved = [each for each in timed if apart(each.speedup(min(each.speed)), each.speedup(max(each.speed)))]
        up = sorted((each for each in moved if _growth(each) > 1), key=_growth, reverse=True)
        down = sorted((each for each in moved if _growth(each) < 1), key=_growth)
        risen += up
        for word, group in (("more", up), ("less", down)):
            if group:
                most = group[0]
                few, many = min(most.speed), max(most.speed)
                sentences.append(
                    f"`{technique}` is worth {word} at batch {many} than at batch {few} on {len(group)} of "
                    f"{counted(len(timed), 'model')}, most so on {most.model}: {figures(most.speedup(many))} and "
                    f"{figures(most.speedup(few))}.{_reading(most, few) if group is down else ''}"
                )
    return sentences + _per_example(risen)


def _reading(each: Judged, size: int) -> str:
    """Say what a call of one example, most of which is the reading of weights, gains by small ones."""
    packed, whole = each.row.packed_bytes, each.baseline.packed_bytes if each.baseline else None
    if size > 1 or each.speed[size].word != FASTER or not packed or not whole or whole < 2 * packed:
        return ""
    return (
        f" Likely: a call of one example is mostly the reading of weights, here {megabytes(packed)} MB in the place of "
        f"{megabytes(whole)}."
    )


def _growth(each: Judged) -> float:
    return each.speedup(max(each.speed)).value / each.speedup(min(each.speed)).value


def _per_example(risen: list[Judged]) -> list[str]:
    """Show, on the row where it is plainest, how a call's own cost is shared by a batch."""
    baselines = [each.baseline for each in risen if each.baseline is not None and len(each.baseline.latency) > 1]
    shares = []
    for row in baselines:
        few, many = min(row.latency), max(row.latency)
        alone, shared = (mean_std(row.latency[size].runs_s).mean / size for size in (few, many))
        shares.append((alone / shared, f"`{row.full_model}` `{row.technique}`", few, many, alone, shared))
    if not shares or max(shares)[0] <= 1:
        return []
    _, name, few, many, alone, shared = max(shares)
    sentence = (
        f"Where a technique is worth more at batch {many}, what a call costs by itself (dispatch, reading the weights) "
        f"is likely shared by more examples: {name} takes {seconds(alone)} an example at batch {few} and "
        f"{seconds(shared)} at batch {many}."
    )
    return [sentence]
