"""Two runs of one machine, row by row: what changed, whether noise explains it, and what only one of them has.

Sizes and parameters are exact; memory is one reading, of which ``MEMORY_SLACK`` is taken for noise. Latencies and
accuracies are in ``latency_change`` and ``accuracy_change``, and judged as families (``family``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from bench.comparing.accuracy_change import accuracy_change
from bench.comparing.family import Tested
from bench.comparing.latency_change import BETWEEN_SESSIONS, NO_REFERENCE, call_s, latency_change
from bench.core.units import percent
from bench.core.variant_key import VariantKey
from bench.results.change import Change, ChangeWord, Missing, Quantity, signed
from bench.results.latency import Latency
from bench.results.row import Row
from bench.results.run import Run
from bench.stats.interval import LATENCY_CONFIDENCE

MEMORY_SLACK = 0.05
"""A process's growth depends on how its allocator happened to be used."""
_EXACT: dict[Quantity, tuple[str, Callable[[Row], int | None]]] = {
    "size": ("size on disk", lambda row: row.size_bytes),
    "packed": ("packed size", lambda row: row.packed_bytes),
    "params": ("number of parameters", lambda row: row.params),
    "memory": ("peak memory", lambda row: row.peak_memory_bytes),
}


def figures(base: Run, new: Run) -> list[Tested | Change]:
    """Return each figure that both runs have, model by model; those that noise is in are still to be judged."""
    compared: list[Tested | Change] = []
    for model, pairs in _models(base, new).items():
        for size in new.settings.batch_sizes:
            references = _reference(base, model, size), _reference(new, model, size)
            compared += _known(latency_change(before, after, size, references) for before, after in pairs)
        compared += _known(accuracy_change(before, after) for before, after in pairs)
        for before, after in pairs:
            compared += _sizes(model, before, after)
    return compared


def _known(compared: Iterable[Tested | Change | None]) -> list[Tested | Change]:
    return [figure for figure in compared if figure is not None]


def missing(base: Run, new: Run) -> list[Missing]:
    """Return the rows that were measured in one run alone, and each figure that a row of the new run lacks."""
    return [*_missing(base, new, lost=True), *_missing(new, base, lost=False)]


def key(row: Row) -> tuple[str, str, VariantKey]:
    """Return what a row of one run and a row of another have in common if they are of one variant."""
    return row.task, row.model, row.key


def _missing(has: Run, lacks: Run, lost: bool) -> Iterator[Missing]:
    others = {key(row): row for row in lacks.rows}
    models = {row.full_model for row in lacks.rows}
    side = "new run" if lost else "base"
    for row in has.rows:
        if not row.measured:
            continue
        other = others.get(key(row))
        model = row.full_model
        if other is None:
            what = "row" if model in models else "model"
            yield Missing(model=model, variant=row.key, lost=lost, sentence=f"the {side} has no such {what}")
        elif not other.measured:
            sentence = f"in the {side} it is {other.status}: {other.reason}"
            yield Missing(model=model, variant=row.key, lost=lost, sentence=sentence)
        elif lost:
            there = _figures(other)
            for (quantity, size), name in _figures(row).items():
                if (quantity, size) not in there:
                    yield Missing(
                        model=model,
                        variant=row.key,
                        quantity=quantity,
                        batch_size=size,
                        lost=True,
                        sentence=f"the new run has no {name}",
                    )


def _figures(row: Row) -> dict[tuple[Quantity, int | None], str]:
    """Return what a sentence calls each figure that can be compared, by quantity and batch size."""
    names: dict[tuple[Quantity, int | None], str] = {
        ("latency", size): f"latency at batch {size}" for size in row.latency if call_s(row, size) is not None
    }
    if row.share_right is not None:
        names["accuracy", None] = "accuracy"
    return names | {(quantity, None): name for quantity, (name, read) in _EXACT.items() if read(row) is not None}


def _models(base: Run, new: Run) -> dict[str, list[tuple[Row, Row]]]:
    before = {key(row): row for row in base.rows}
    models: dict[str, list[tuple[Row, Row]]] = {}
    for row in new.rows:
        if key(row) in before:
            models.setdefault(row.full_model, []).append((before[key(row)], row))
    return models


def _reference(run: Run, model: str, size: int) -> Latency | None:
    return next((reference.latency.get(size) for reference in run.references if reference.model == model), None)


def _sizes(model: str, before: Row, after: Row) -> Iterator[Change]:
    for quantity, (_, read) in _EXACT.items():
        was, now = read(before), read(after)
        if was is None or now is None:
            continue
        share = now / was - 1 if was else math.inf if now else 0.0
        word: ChangeWord = "the same" if now == was else "larger" if now > was else "smaller"
        if quantity == "memory" and now != was and abs(share) <= MEMORY_SLACK:
            word = "no difference detected"
        unit = "parameters" if quantity == "params" else "bytes"
        shown = f"{was:,} {unit}" if now == was else f"{was:,} and {now:,} {unit}, {signed(share)} %"
        yield Change(
            model=model,
            variant=after.key,
            quantity=quantity,
            before=was,
            after=now,
            value=share,
            least=MEMORY_SLACK if quantity == "memory" else None,
            word=word,
            sentence=f"{quantity}: {word}, {shown}",
        )


def how_it_was_done(base: Run, new: Run) -> list[str]:
    """Return what a reader must know to judge the changes."""
    latencies = (
        "Latencies are compared relative to the reference workload of their own rounds, a fixed computation, so a "
        "machine that was slower overall changes nothing. Intervals are "
        f"{percent(LATENCY_CONFIDENCE, 0)}, over the processes of both runs; a change is called one where it is "
        f"significantly more than the {percent(BETWEEN_SESSIONS, 0)} allowed for how sessions differ."
    )
    if not (base.references and new.references):
        latencies = (
            "**Without a reference workload** in both files, latencies are shown and not compared: a machine may be a "
            f"third slower for minutes. To compare them, {NO_REFERENCE}."
        )
    if all(row.right is not None for run in (base, new) for row in run.rows if row.accuracy is not None):
        accuracies = (
            "Accuracies are compared example by example (McNemar); lost examples are those that only the base answers "
            "right."
        )
    else:
        accuracies = (
            "Where a file does not record which answers were right, unequal counts are compared as two independent "
            "samples, which errs towards no difference."
        )
    return [latencies, accuracies]
