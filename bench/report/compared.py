"""The comparison of runs as files: markdown with a picture of each model's speed-ups beside it, or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.comparing.comparison import Comparison
from bench.core.errors import RequestError
from bench.core.file_names import file_name
from bench.core.files import write_atomically
from bench.report.machines import render
from bench.report.pictures import Picture, draw, of_speedups
from bench.results.run import Run


def write(comparison: Comparison, runs: Sequence[Run], out: Path) -> None:
    """Write what ``runs`` say together to ``out``; its name decides the form. Raises ``RequestError`` if it cannot."""
    if out.suffix.lower() not in (".json", ".md", ".markdown", ""):
        raise RequestError(f"--out {out} is neither .md nor .json, the two forms of a comparison; name such a file.")
    if out.suffix.lower() == ".json":
        write_atomically(out, comparison.model_dump_json(indent=1) + "\n")
        return
    pictures = pictures_of(labelled(comparison, runs), out.stem)
    draw(pictures, out.parent)
    write_atomically(out, render(comparison, pictures))


def labelled(comparison: Comparison, runs: Sequence[Run]) -> dict[str, Run]:
    """Return the runs of a comparison by their labels."""
    return {column.label: run for column, run in zip(comparison.columns, runs, strict=True)}


def pictures_of(runs: Mapping[str, Run], stem: str) -> list[Picture]:
    """Return a picture of each model that two runs or more know a speed-up of; their files' names begin with ``stem``.

    Pictures of the runs' own reports may lie in the same folder.
    """
    every = [row for run in runs.values() for row in run.rows]
    order = list(dict.fromkeys(row.technique.partition(":")[0] for row in every))
    pictures = []
    for model in dict.fromkeys(row.full_model for row in every):
        rows = {
            label: [row for row in run.rows if row.full_model == model and row.speedup and not row.simulated]
            for label, run in runs.items()
        }
        known = {label: speedups for label, speedups in rows.items() if speedups}
        if len(known) > 1:
            sizes = sorted({size for speedups in known.values() for row in speedups for size in row.speedup})
            title = f"{model}: speed-up over each run's own fp32, with its 99 % interval"
            ending = file_name(model) + ".svg"
            pictures.append(of_speedups(model, f"{stem}-speed-up-{ending}", title, known, sizes, order))
    return pictures
