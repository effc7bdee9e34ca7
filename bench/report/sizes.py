"""What every variant weighs: packed sizes, multiply-accumulates, memory, and scores by rule."""

from __future__ import annotations

from bench.core.units import MISSING, counted, megabytes, percent
from bench.core.variant_key import BASELINE
from bench.report.headline import smaller
from bench.report.tables import Figure, Table
from bench.results.provenance import Data
from bench.results.row import Row
from bench.results.run import Run

SIZES = (
    "Packed: the compact file that reloads, in a fresh process, to the same logits to the bit, verified in this run. "
    "× smaller: fp32's packed file divided by the variant's. MACs: multiply-accumulates of one "
    "example. Memory: growth of the variant's process from before loading to the peak of one batch of {batch}. "
    "Treated: share of fp32's parameters in layers that the technique changed; the notes name what it left alone."
)
INT8_OPERATIONS = (
    " int8 operations: those of the graph as its runtime optimized it, and how many matrix products and convolutions "
    "stayed float."
)
"""What is said where they were counted."""


def sizes_and_work(run: Run, data: Data) -> Table:
    """Return one task's packed sizes, multiply-accumulates and memory."""
    header = ["Model", "Technique", "Packed (MB)", "× smaller", "By dtype (bytes)", "MACs", "Memory (MB)", "Treated"]
    rows = run.rows_of(data.task)
    has_int8 = any(row.int8_operations for row in rows)
    header += ["int8 operations"] * has_int8
    baselines = {row.model: row for row in rows if row.key == BASELINE}
    cells = [
        [
            row.model,
            row.key,
            Figure(megabytes(row.file_bytes), row.file_bytes) if row.file_bytes is not None else MISSING,
            smaller(row, baselines.get(row.model)),
            ", ".join(f"{dtype} {count:,}" for dtype, count in row.bytes_by_dtype.items()) or MISSING,
            Figure(f"{row.macs:,}", row.macs) if row.macs is not None else MISSING,
            _memory(row),
            _treated(row),
            *[_int8_operations(row)] * has_int8,
        ]
        for row in rows
    ]
    return Table(header, cells, f"{data.title}: size and work")


def how_to_read(run: Run) -> str:
    """Return what the columns of the table hold."""
    has_int8 = any(row.int8_operations for row in run.rows)
    return SIZES.format(batch=max(run.settings.batch_sizes)) + INT8_OPERATIONS * has_int8


def scores(run: Run, data: Data) -> Table | None:
    """Return one task's scores by rule; nothing where no technique is a low-bit one."""
    rows = [row for row in run.rows_of(data.task) if row.scores]
    if not any(row.simulated for row in rows):
        return None
    rules = list(dict.fromkeys(rule for row in rows for rule in row.scores))
    header = ["Model", "Technique", "MACs × bits / 32 (M)", *rules]
    cells = [
        [
            row.model,
            row.key,
            _operations(row),
            *(Figure(f"{row.scores[rule]:.4f}", row.scores[rule]) if rule in row.scores else MISSING for rule in rules),
        ]
        for row in rows
    ]
    return Table(header, cells, f"{data.title}: scores")


def _treated(row: Row) -> str:
    """Return the share of parameters; of runs that have none, the layers."""
    if row.treated is not None:
        return Figure(percent(row.treated.share, 1), row.treated.share)
    if row.layers is None or not row.layers.changed:
        return MISSING
    return Figure(f"{row.layers.changed} of {row.layers.total} layers", row.layers.changed / row.layers.total)


def _memory(row: Row) -> str:
    grown = row.peak_memory_bytes
    return Figure(megabytes(grown), grown) if grown is not None else MISSING


def _int8_operations(row: Row) -> str:
    if (counts := row.int8_operations) is None:
        return MISSING
    left = counted(counts.float_products, "float product")
    return Figure(f"{counts.int8} of {counts.total}, {left}", counts.int8)


def _operations(row: Row) -> str:
    count = row.bit_operations
    return Figure(f"{count / 1e6:,.3f}", count) if count is not None else MISSING
