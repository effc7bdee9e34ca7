"""Which pictures a run has: of each model its trade-off, its latencies and its speed-ups.

They are named without being drawn, because drawing imports matplotlib, which takes longer than a report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.report.spans import Panel, Series, Span, draw_spans
from bench.report.trade_off import Cost, Point, trade_off
from bench.result import Row, Run, write_atomically
from bench.summary import percentile
from bench.units import short_seconds

SIZE = Cost("Packed size (MB)")
OPERATIONS = Cost("Multiply-accumulates × bits / 32 (M)")


@dataclass(frozen=True)
class Picture:
    """A picture that can be drawn."""

    model: str
    """As ``task/model``."""
    name: str
    """Of its file."""
    title: str
    """What it shows, for those who cannot see it too."""
    draw: Callable[[], str]
    """Returns the SVG."""


def pictures_of(run: Run, number: int = 1) -> list[Picture]:
    """Return the pictures of a run, model by model; ``number`` tells runs of one document apart."""
    pictures = []
    sizes = run.settings.batch_sizes
    order = list(dict.fromkeys(row.technique.partition(":")[0] for row in run.rows))
    for model in dict.fromkeys(row.full_model for row in run.rows):
        rows = [row for row in run.rows if row.full_model == model]
        timed = [row for row in rows if row.latency and not row.simulated]
        ending = re.sub(r"[^\w.-]+", "-", model) + (f"-{number}" if number > 1 else "") + ".svg"
        if any(_has_cost(row) for row in rows):
            title = f"{model}: accuracy against size and latency"
            draw_it = partial(_trade_off, rows, sizes, title, order)
            pictures.append(Picture(model, f"trade-off-{ending}", title, draw_it))
        if timed:
            title = f"{model}: latency of one call and its spread"
            draw_it = partial(_latencies, timed, sizes, title, order)
            pictures.append(Picture(model, f"latency-{ending}", title, draw_it))
        if any(row.speedup for row in timed):
            title = f"{model}: speed-up over fp32 with its 95 % interval"
            draw_it = partial(speedups, {"": timed}, sizes, title, order)
            pictures.append(Picture(model, f"speed-up-{ending}", title, draw_it))
    return pictures


def draw(pictures: Sequence[Picture], folder: Path) -> None:
    """Draw each picture into its file in ``folder``; raises ``RequestError`` if it cannot be written."""
    for picture in pictures:
        write_atomically(folder / picture.name, picture.draw())


def speedups(
    rows_by_name: Mapping[str, Sequence[Row]], batch_sizes: Sequence[int], title: str, order: Sequence[str] = ()
) -> str:
    """Draw the speed-ups of one model's rows, as SVG: a panel a batch size and a series a name, such as a machine's.

    Simulated rows are left out. Raises ``ValueError`` if there is none.
    """
    panels = [
        Panel(
            f"Batch {size}",
            [
                Series(
                    name,
                    [
                        Span(row.technique, found.value, found.low, found.high)
                        for row in rows
                        if (found := row.speedup.get(size)) is not None and not row.simulated
                    ],
                )
                for name, rows in rows_by_name.items()
            ],
        )
        for size in batch_sizes
    ]
    return draw_spans(panels, lambda value: f"{round(value, 2):g}×", title, 1.0, order)


def _latencies(rows: Sequence[Row], batch_sizes: Sequence[int], title: str, order: Sequence[str]) -> str:
    panels = [
        Panel(f"Batch {size}", [Series("", [_spread(row, size) for row in rows if size in row.latency])])
        for size in batch_sizes
    ]
    return draw_spans(panels, short_seconds, title, order=order)


def _spread(row: Row, size: int) -> Span:
    fifth, quarter, half, three_quarters, last = (
        percentile(row.latency[size].rounds_s, share) for share in (0.05, 0.25, 0.5, 0.75, 0.95)
    )
    return Span(row.technique, half, fifth, last, (quarter, three_quarters))


def _has_cost(row: Row) -> bool:
    return row.accuracy is not None and (row.packed_bytes is not None or (bool(row.latency) and not row.simulated))


def _trade_off(rows: Sequence[Row], batch_sizes: Sequence[int], title: str, order: Sequence[str]) -> str:
    """Draw accuracy against size and latency; against operations too, where low precision is only simulated."""
    latencies = {size: Cost(f"Latency at batch {size}, median", short_seconds) for size in batch_sizes}
    operations = [OPERATIONS] if any(row.simulated for row in rows) else []
    costs = [SIZE, *operations, *latencies.values()]
    points = []
    for row in filter(_has_cost, rows):
        known = {latencies[size].name: percentile(each.rounds_s, 0.5) for size, each in row.latency.items()}
        if row.simulated:
            known = {}
        if row.packed_bytes is not None:
            known[SIZE.name] = row.packed_bytes / 1e6
        if row.bit_operations is not None:
            known[OPERATIONS.name] = row.bit_operations / 1e6
        if row.accuracy is not None:
            share = row.accuracy.correct / row.accuracy.total
            points.append(Point(row.technique, share, known, row.technique.partition(":")[0]))
    return trade_off(points, costs, title, order)
