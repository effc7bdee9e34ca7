"""What the figures of a run mean, in sentences, each of which rests on the rows it names.

A difference is called one only where its verdict (bench.results.verdict) does, or a test as strict; what the rows do
not say is left out. Causes are not measured, and are called likely.
"""

from __future__ import annotations

from bench.core.units import megabytes, percent
from bench.core.variant_key import BASELINE
from bench.report import weights
from bench.report.judged import Judged, judge, signed
from bench.report.open_question import HINT, open_question
from bench.report.speed_discussion import batch_sizes, dynamic_or_static, slower_elsewhere, slower_int8
from bench.results.run import Row, Run
from bench.results.verdict import UNDECIDED, p_text
from bench.stats.proportions import standard_error

HARDLY = 1.1
"""Up to this many times smaller is hardly smaller."""
AT_MOST = 4
"""Rows of one kind that are named; the tables have the others."""
OWN_TRAINING = " It comes of a training of its own, which alone makes some difference."


def discuss(run: Run) -> list[tuple[str, list[str]]]:
    """Return the discussion's parts, each a title and its sentences, in markdown."""
    rows = judge(run)
    parts = [
        ("On which data", _synthetic(run)),
        ("What got smaller", _sizes(rows)),
        ("Where int8 is slower than fp32", slower_int8(run, rows)),
        ("Where smaller is slower otherwise", slower_elsewhere(run, rows)),
        ("Dynamic against static", dynamic_or_static(rows)),
        ("Small and large batches", batch_sizes(rows)),
        ("What the accuracies are worth", _accuracies(run, rows)),
        ("An open question", open_question(run, rows)),
    ]
    return [(title, sentences) for title, sentences in parts if sentences]


def _synthetic(run: Run) -> list[str]:
    return [
        f"{data.title} is a **synthetic** stand-in here: its accuracies say nothing about the real set."
        for data in run.data
        if data.kind == "synthetic"
    ]


def _sizes(rows: list[Judged]) -> list[str]:
    sentences = []
    for model in dict.fromkeys(each.model for each in rows):
        packed = [(each, smaller) for each in rows if each.model == model and (smaller := _smaller(each)) is not None]
        if not packed:
            continue
        best, smaller = max(packed, key=lambda pair: pair[1])
        if smaller > HARDLY and best.baseline is not None:
            sentences.append(
                f"{best.name} is the smallest of its model: {megabytes(best.row.packed_bytes or 0)} MB packed, "
                f"{smaller:.2f}× smaller than {BASELINE}'s {megabytes(best.baseline.packed_bytes or 0)} MB."
            )
        sentences += [
            f"{each.name} is {_hardly(smaller)}: it changed {layers.changed} of {layers.total} layers."
            for each, smaller in packed
            if smaller <= HARDLY and (layers := each.row.layers) is not None and layers.changed
        ]
    return sentences


def _hardly(smaller: float) -> str:
    if round(smaller, 2) == 1:
        return f"as large as {BASELINE}"
    return f"hardly smaller, {smaller:.2f}×" if smaller > 1 else f"larger than {BASELINE}, {1 / smaller:.2f}×"


def _smaller(each: Judged) -> float | None:
    if each.baseline is None or not each.baseline.packed_bytes or not each.row.packed_bytes:
        return None
    return each.baseline.packed_bytes / each.row.packed_bytes


def _accuracies(run: Run, rows: list[Judged]) -> list[str]:
    sentences = []
    for data in run.data:
        judged = [each for each in rows if each.data is data and each.accuracy is not None]
        baselines = [row for row in run.rows_of(data.task) if row.key == BASELINE and row.accuracy is not None]
        if not judged or not baselines:
            continue
        sentences.append(_scale(data.title + (" (synthetic)" if data.kind == "synthetic" else ""), baselines[0]))
        by_size = sorted(judged, key=lambda each: -abs(each.points or 0.0))
        decided = [each for each in by_size if each.accuracy and each.accuracy.word != UNDECIDED]
        sentences += [_difference(run, each) for each in decided[:AT_MOST]]
        for word in ("worse", "better"):
            more = [each for each in decided[AT_MOST:] if each.accuracy and each.accuracy.word == word]
            if more:
                ends = more[:1] + more[1:][-1:]
                named = " to ".join(f"{each.name} ({signed(each)})" for each in ends)
                verb = "row is" if len(more) == 1 else "rows are"
                sentences.append(f"{len(more)} further {verb} {word} than {BASELINE}, by less: {named}.")
        undecided = [each for each in by_size if each not in decided]
        hints = [each for each in undecided if each.row.agreement and each.row.agreement.p_value < HINT][:AT_MOST]
        sentences += [f"A hint and no more, by the measure of the verdicts: {_difference(run, each)}" for each in hints]
        rest = next((each for each in undecided if each not in hints and each.points), None)
        if rest is not None:
            others = "The largest of the others" if decided or hints else "The largest difference"
            sentences.append(f"{others} cannot be told from none: {_difference(run, rest)}")
        if alike := [each for each in judged if _alike(each.row)]:
            by_model: dict[str, list[str]] = {}
            for each in alike:
                by_model.setdefault(each.model, []).append(f"`{each.row.key}`")
            named = "; ".join(f"{model} {', '.join(techniques)}" for model, techniques in by_model.items())
            sentences.append(f"Every example is answered as by {BASELINE}: {named}.")
    return sentences


def _alike(row: Row) -> bool:
    return row.agreement is not None and row.accuracy is not None and row.agreement.same == row.accuracy.total


def _scale(title: str, row: Row) -> str:
    if row.accuracy is None:
        raise ValueError("no accuracy to scale by")
    correct, total = row.accuracy.correct, row.accuracy.total
    return (
        f"{title} has {total:,} test examples: an answer is {100 / total:.2f} points, and the "
        f"{percent(correct / total)} of `{row.full_model}` `{row.key}` have a standard error of "
        f"{100 * standard_error(correct, total):.2f} points."
    )


def _difference(run: Run, each: Judged) -> str:
    agreement, accuracy = each.row.agreement, each.row.accuracy
    if agreement is None or accuracy is None or each.points is None or each.accuracy is None:
        raise ValueError("no accuracies to compare")
    word = "" if each.accuracy.word == UNDECIDED else f" is {each.accuracy.word} than {BASELINE}"
    net = agreement.gained - agreement.lost
    return (
        f"{each.name}{word}: {signed(each)} on {accuracy.total:,} examples are {abs(net):,} "
        f"{'answer' if abs(net) == 1 else 'answers'} ({agreement.lost:,} lost, {agreement.gained:,} gained; "
        f"McNemar's {p_text(agreement.p_value)}).{OWN_TRAINING if weights.of_its_own(run, each.row) else ''}"
    )
