"""Rows as flat records, for those who compute on: a line each in CSV, an object each in JSON.

Seconds, bytes, shares between 0 and 1, and nothing (CSV) or null (JSON) for what was not measured.

| column | what it holds |
|---|---|
| `run` | which of the files, from 1 |
| `cpu`, `device`, `threads`, `engine`, `torch`, `created` | where and when it was measured |
| `data` | `real` or `synthetic` |
| `task`, `model`, `technique`, `runtime`, `scheme`, `dtype` | which variant it is |
| `status`, `reason`, `simulated` | whether its figures can be used |
| `size_bytes`, `packed_bytes`, `deploy_bytes`, `params`, `macs`, `bit_operations` | as in the run file |
| `peak_memory_bytes`, `build_s`, `load_s`, `first_answer_s` | as in the run file |
| `layers_changed`, `layers_total` | of Linear and convolution layers |
| `params_treated` | fp32's parameters in layers that the technique changed |
| `int8_operations`, `operations`, `float_products` | of the graph that a runtime optimized |
| `correct`, `total`, `accuracy`, `accuracy_low`, `accuracy_high` | on the test set; the 95 % Wilson interval |
| `same`, `lost`, `gained`, `mcnemar_p` | answers beside fp32's |
| `output_error` | of a model of one's own: as in the run file |
| `latency_b1_s`, `latency_b1_processes`, `latency_b1_rounds` | of one call at batch 1, and how often it was measured |
| `runs_b1_mean_s`, `runs_b1_std_s` | the same over the runs, as in the lab's table |
| `speedup_b1`, `speedup_b1_low`, `speedup_b1_high`, `speedup_b1_p` | over fp32, with its 99 % interval |
| `speedup_b1_verdict`, `accuracy_verdict` | faster, slower, better, worse, no difference detected, not comparable |
| `score_…` | by rule, where there are scores |

and the columns of `b1` again for each batch size.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import StringIO
from typing import TypeAlias

from bench.results.row import Row
from bench.results.run import Run
from bench.results.verdict import accuracy_verdicts, latency_verdicts
from bench.stats.describe import mean_std
from bench.stats.proportions import wilson

Record: TypeAlias = dict[str, str | int | float | bool | None]

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of one."""


def records(runs: Sequence[Run]) -> list[Record]:
    """Return a record for each row of each run; all have the same keys in the same order."""
    rows = [
        _where(run, number, row) | _figures(row) | _timings(run, row) | given | _scores(row)
        for number, run in enumerate(runs, start=1)
        for row, given in zip(run.rows, _verdicts(run), strict=True)
    ]
    columns = dict.fromkeys(column for record in rows for column in record)
    return [{column: record.get(column) for column in columns} for record in rows]


def as_csv(runs: Sequence[Run]) -> str:
    """Return the records as comma-separated values under a header; empty for no rows.

    Names and reasons come from strangers' files too: a text that a spreadsheet would take for a formula begins with an
    apostrophe.
    """
    rows = records(runs)
    text = StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    if rows:
        writer.writeheader()
        writer.writerows({column: _inert(value) for column, value in row.items()} for row in rows)
    return text.getvalue()


def as_json(runs: Sequence[Run]) -> str:
    """Return the records as a list of objects."""
    return json.dumps(records(runs), indent=1, ensure_ascii=False) + "\n"


def _inert(value: str | float | None) -> str | float | None:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _where(run: Run, number: int, row: Row) -> Record:
    return {
        "run": number,
        "cpu": run.machine.cpu,
        "device": run.settings.device,
        "threads": run.settings.threads,
        "engine": run.settings.engine,
        "torch": run.machine.torch,
        "created": run.created,
        "data": next((data.kind for data in run.data if data.task == row.task), None),
    }


def _figures(row: Row) -> Record:
    interval = wilson(row.accuracy.correct, row.accuracy.total) if row.accuracy else None
    return {
        "task": row.task,
        "model": row.model,
        "technique": row.technique,
        "runtime": row.runtime,
        "scheme": row.scheme,
        "dtype": row.dtype,
        "status": row.status,
        "reason": row.reason,
        "simulated": row.simulated,
        "size_bytes": row.size_bytes,
        "packed_bytes": row.packed_bytes,
        "deploy_bytes": row.deploy_bytes,
        "params": row.params,
        "macs": row.macs,
        "bit_operations": row.bit_operations,
        "peak_memory_bytes": row.peak_memory_bytes,
        "build_s": row.build_s,
        "load_s": row.load_s,
        "first_answer_s": row.first_answer_s,
        "layers_changed": row.layers.changed if row.layers else None,
        "layers_total": row.layers.total if row.layers else None,
        "params_treated": row.treated.params if row.treated else None,
        "int8_operations": row.int8_operations.int8 if row.int8_operations else None,
        "operations": row.int8_operations.total if row.int8_operations else None,
        "float_products": row.int8_operations.float_products if row.int8_operations else None,
        "correct": row.accuracy.correct if row.accuracy else None,
        "total": row.accuracy.total if row.accuracy else None,
        "accuracy": row.share_right,
        "accuracy_low": interval.low if interval else None,
        "accuracy_high": interval.high if interval else None,
        "same": row.agreement.same if row.agreement else None,
        "lost": row.agreement.lost if row.agreement else None,
        "gained": row.agreement.gained if row.agreement else None,
        "mcnemar_p": row.agreement.p_value if row.agreement else None,
        "output_error": row.output_error,
    }


def _timings(run: Run, row: Row) -> Record:
    timings: Record = {}
    for size in run.settings.batch_sizes:
        latency, speedup = row.latency.get(size), row.speedup.get(size)
        runs = mean_std(latency.runs_s) if latency else None
        known = speedup is not None and speedup.confidence > 0
        timings |= {
            f"latency_b{size}_s": latency.estimate_s if latency else None,
            f"latency_b{size}_processes": len(set(latency.processes)) if latency else None,
            f"latency_b{size}_rounds": latency.timed_rounds if latency else None,
            f"runs_b{size}_mean_s": runs.mean if runs else None,
            f"runs_b{size}_std_s": runs.std if runs else None,
            f"speedup_b{size}": speedup.value if speedup else None,
            f"speedup_b{size}_low": speedup.low if speedup and known else None,
            f"speedup_b{size}_high": speedup.high if speedup and known else None,
            f"speedup_b{size}_p": speedup.p_value if speedup and known else None,
        }
    return timings


def _verdicts(run: Run) -> list[Record]:
    """Return the words on each row; they are given task by task."""
    words: dict[int, Record] = {}
    for data in run.data:
        rows = run.rows_of(data.task)
        families = {"accuracy_verdict": accuracy_verdicts(rows)}
        families |= {f"speedup_b{size}_verdict": latency_verdicts(rows, size) for size in run.settings.batch_sizes}
        for position, row in enumerate(rows):
            words[id(row)] = {name: verdicts[position].word for name, verdicts in families.items()}
    return [words[id(row)] for row in run.rows]


def _scores(row: Row) -> Record:
    return {f"score_{rule}": value for rule, value in row.scores.items()}
