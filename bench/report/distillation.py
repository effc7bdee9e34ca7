"""The table of a distillation over bit widths."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.units import MISSING, kilobytes
from bench.report.tables import Table
from bench.results.distillation import Distillation, Route, Source, Student
from bench.stats.describe import mean_std


def render(result: Distillation) -> str:
    """Return the table: a row a width, a column a way, mean ± std over the seeds; below it what failed, and why."""
    ways = list(dict.fromkeys((student.route, student.source) for student in result.students))
    header = [
        "Bits",
        "Packed (kB)",
        *(_title(route, source) for route, source in ways),
    ]
    rows = []
    for bits in result.chain:
        of_width = [student for student in result.students if student.bits == bits]
        cells = [_cell([student for student in of_width if (student.route, student.source) == way]) for way in ways]
        sizes = [student.packed_bytes for student in of_width if student.packed_bytes is not None]
        rows.append([str(bits), kilobytes(sizes[0]) if sizes else MISSING, *cells])
    failures = [
        f"{student.bits} bits, {_title(student.route, student.source)}, seed {student.seed}: {student.reason}"
        for student in result.students
        if student.reason
    ]
    kind = "real data" if result.data == "real" else "**SYNTHETIC data**"
    trained = f" Trained on {' and '.join(result.processors)}." if result.processors else ""
    teacher = f"taught by {result.teacher}, " if result.teacher else ""
    caption = (
        f"{result.model}, {kind}, {teacher}{result.family} with chain {' → '.join(map(str, result.chain))}, "
        f"{result.recipe.get('epochs', MISSING)} epochs each, λ = {result.weight:g}, τ = {result.temperature:g}. "
        f"Accuracy on the test set after the last epoch, mean ± sample std over {len(result.seeds)} seeds. *Start*: "
        f"the student begins with its teacher's weights and statistics; *loss*: the teacher has a part in its loss."
        f"{trained}"
    )
    return f"{Table(header, rows, remarks=failures).markdown()}\n\n{caption}"


def _title(route: Route, source: Source) -> str:
    return f"{route}: {_LABELS[source]}" if source else route


_LABELS = {"start": "start only", "loss": "loss only", "both": "both"}


def _cell(students: Sequence[Student]) -> str:
    if not students:
        return MISSING
    right = [student.accuracy for student in students if student.accuracy is not None]
    if not right:
        return "failed"
    whole = mean_std([100 * accuracy.correct / accuracy.total for accuracy in right])
    share = f" ({len(right)} of {len(students)})" if len(right) < len(students) else ""
    return f"{whole.mean:.2f}" + (f" ± {whole.std:.2f}" if whole.std is not None else "") + f" %{share}"
