"""Which pictures a run has: of each model its trade-off, its latencies and its speed-ups, and of a task all its models.

They are named without being drawn, because drawing imports matplotlib, which takes longer than a report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

from bench.core.file_names import file_name
from bench.core.files import write_atomically
from bench.core.units import short_ratio, short_seconds
from bench.core.variant_key import BASELINE
from bench.report.spans import Panel, Series, Span, draw_spans
from bench.report.trade_off import Cost, Point, trade_off
from bench.results.latency import Latency
from bench.results.row import Row
from bench.results.run import Run
from bench.stats.describe import percentile
from bench.stats.proportions import wilson

SIZE = Cost("Packed size (MB)")
LEAST_OPERATIONS = 1 / 32
"""One multiply-accumulate of single bits; a network without weight layers has none, and no place on the axis."""
OPERATIONS = Cost("Multiply-accumulates × bits / 32 (M)")
LEAST_MODELS = 3
"""So many of a task have a picture together; two are told apart in their own."""


@dataclass(frozen=True)
class Picture:
    """A picture that can be drawn."""

    model: str
    """As ``task/model``; the task of a picture of several."""
    name: str
    """Of its file."""
    title: str
    """What it shows, for those who cannot see it too."""
    draw: Callable[[], str]
    """Returns the SVG."""


def pictures_of(run: Run, number: int = 1) -> list[Picture]:
    """Return the pictures of a run, model by model, then those over the models of a task.

    ``number`` tells runs of one document apart.
    """
    pictures = []
    sizes = run.settings.batch_sizes
    several = len({row.runtime for row in run.rows}) > 1
    family: Callable[[Row], str] = attrgetter("runtime") if several else _by_technique
    order = list(dict.fromkeys(family(row) for row in run.rows))
    for model in dict.fromkeys(row.full_model for row in run.rows):
        rows = [row for row in run.rows if row.full_model == model]
        timeable = _timeable(rows)
        timed = [row for row in timeable if any(latency.rounds_s for latency in row.latency.values())]
        ending = _ending(model, number)
        points, costs = _points(rows, sizes if timeable else [], family)
        if points:
            title = f"{model}: accuracy against size and latency"
            draw_trade_off = partial(trade_off, points, costs, title, order)
            pictures.append(Picture(model, f"trade-off-{ending}", title, draw_trade_off))
        if timed:
            title = f"{model}: latency of one call and its spread"
            panels = partial(_latencies, timed, sizes, family)
            pictures.append(_of_spans(model, f"latency-{ending}", title, panels, short_seconds, None, order))
        if any(row.speedup for row in timed):
            title = f"{model}: speed-up over fp32 with its 99 % interval"
            pictures.append(of_speedups(model, f"speed-up-{ending}", title, {"": timed}, sizes, order, family))
    pictures += _across_models(run, number)
    return pictures


def _across_models(run: Run, number: int) -> Iterator[Picture]:
    """Yield of each task with several models all of them in one trade-off, labelled by model, looking as by variant."""
    for task in dict.fromkeys(row.task for row in run.rows):
        rows = [row for row in run.rows if row.task == task]
        sizes = run.settings.batch_sizes if _timeable(rows) else []
        points, costs = _points(rows, sizes, lambda row: str(row.key), attrgetter("model"))
        if len({point.label for point in points}) >= LEAST_MODELS:
            title = f"{task}: accuracy against size and latency, over its models"
            order = list(dict.fromkeys(str(row.key) for row in run.rows))
            draw_trade_off = partial(trade_off, points, costs, title, order)
            yield Picture(task, f"models-{_ending(task, number)}", title, draw_trade_off)


def _ending(name: str, number: int) -> str:
    return file_name(name) + (f"-{number}" if number > 1 else "") + ".svg"


def _timeable(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose latencies say something; none if fp32 would stand alone among them."""
    return [] if _simulated_beside_fp32(rows) else [row for row in rows if not row.simulated]


def _by_technique(row: Row) -> str:
    return row.technique.partition(":")[0]


def _simulated_beside_fp32(rows: Sequence[Row]) -> bool:
    """Return whether fp32 would stand alone in a picture of latencies, because all others are simulated."""
    others = [row for row in rows if row.key != BASELINE and row.measured]
    return bool(others) and all(row.simulated for row in others)


def _of_spans(
    model: str,
    name: str,
    title: str,
    panels: Callable[[], list[Panel]],
    show: Callable[[float], str],
    reference: float | None,
    order: Sequence[str],
) -> Picture:
    return Picture(model, name, title, lambda: draw_spans(panels(), show, title, reference, order))


def draw(pictures: Sequence[Picture], folder: Path) -> None:
    """Draw each picture into its file in ``folder``; raises ``RequestError`` if it cannot be written."""
    for picture in pictures:
        write_atomically(folder / picture.name, picture.draw())


def of_speedups(
    model: str,
    name: str,
    title: str,
    rows_by_name: Mapping[str, Sequence[Row]],
    batch_sizes: Sequence[int],
    order: Sequence[str] = (),
    family: Callable[[Row], str] = _by_technique,
) -> Picture:
    """Return a picture of one model's speed-ups: a panel a batch size and a series a name, such as a run's.

    Simulated rows are left out; drawing raises ``ValueError`` if there is no other.
    """
    return _of_spans(model, name, title, partial(_speedups, rows_by_name, batch_sizes, family), short_ratio, 1.0, order)


def _speedups(
    rows_by_name: Mapping[str, Sequence[Row]], batch_sizes: Sequence[int], family: Callable[[Row], str]
) -> list[Panel]:
    return [
        Panel(
            f"Batch {size}",
            [
                Series(
                    name,
                    [
                        Span(str(row.key), speedup.value, speedup.low, speedup.high, family=family(row))
                        for row in rows
                        if (speedup := row.speedup.get(size)) is not None and not row.simulated
                    ],
                )
                for name, rows in rows_by_name.items()
            ],
        )
        for size in batch_sizes
    ]


def _latencies(rows: Sequence[Row], batch_sizes: Sequence[int], family: Callable[[Row], str]) -> list[Panel]:
    return [
        Panel(
            f"Batch {size}",
            [Series("", [_spread(row, row.latency[size], family) for row in rows if _has_rounds(row, size)])],
        )
        for size in batch_sizes
    ]


def _has_rounds(row: Row, size: int) -> bool:
    return size in row.latency and bool(row.latency[size].rounds_s)


def _spread(row: Row, latency: Latency, family: Callable[[Row], str]) -> Span:
    fifth, quarter, three_quarters, last = (percentile(latency.rounds_s, share) for share in (0.05, 0.25, 0.75, 0.95))
    return Span(str(row.key), latency.estimate_s, fifth, last, (quarter, three_quarters), family(row))


def _points(
    rows: Sequence[Row],
    batch_sizes: Sequence[int],
    family: Callable[[Row], str],
    label: Callable[[Row], str] = attrgetter("technique"),
) -> tuple[list[Point], list[Cost]]:
    """Return accuracy against size and latency; against operations too, where low precision is only simulated."""
    latencies = {size: Cost(f"Latency at batch {size}", short_seconds) for size in batch_sizes}
    operations = [OPERATIONS] if any(row.simulated for row in rows) else []
    costs = [SIZE, *operations, *latencies.values()]
    points = []
    for row in rows:
        known = {latencies[size].name: latency.estimate_s for size, latency in row.latency.items() if size in latencies}
        if row.simulated:
            known = {}
        if row.file_bytes is not None:
            known[SIZE.name] = row.file_bytes / 1e6
        if row.bit_operations is not None and row.bit_operations >= LEAST_OPERATIONS:
            known[OPERATIONS.name] = row.bit_operations / 1e6
        if (share := row.share_right) is not None and known:
            interval = wilson(row.accuracy.correct, row.accuracy.total) if row.accuracy else None
            ends = (interval.low, interval.high) if interval else None
            points.append(Point(label(row), share, known, family(row), ends))
    return points, costs
