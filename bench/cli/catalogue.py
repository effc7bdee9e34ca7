"""``bench list``: what there is to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.cli.output import show

if TYPE_CHECKING:
    from bench.runtimes.base import Runtime
    from bench.techniques.base import Technique


def command() -> None:
    """List suites, models, techniques and runtimes."""
    from bench.running.suites import SUITES
    from bench.runtimes.base import RUNTIMES
    from bench.tasks.task import TASKS
    from bench.techniques.base import TECHNIQUES

    show("Suites (--suite)")
    for suite in SUITES.values():
        show(f"  {suite.name:<20}{suite.description}: {', '.join(suite.models)}")
    show("\nModels (--task, --model)")
    for task in TASKS:
        for spec in task.models:
            show(f"  {f'{task.name}/{spec.name}':<20}{spec.description}")
    show("\nTechniques (--technique)")
    for technique in sorted(TECHNIQUES, key=lambda technique: technique.name):
        name, colon, _ = technique.name.partition(":")
        show(f"  {name + colon:<20}{technique.summary}")
        if colon:
            show(f"  {'':<20}{technique.grammar}")
    show("\nRuntimes (--runtime)")
    for runtime in RUNTIMES.offered():
        here = f" ({missing})" if (missing := runtime.missing()) else ""
        show(f"  {runtime.name:<20}{runtime.summary}{here}")
    show("\nTechniques on runtimes")
    show(matrix(list(TECHNIQUES), list(RUNTIMES.offered())))


def matrix(techniques: Sequence[Technique], runtimes: Sequence[Runtime]) -> str:
    """Return which runtime has which technique, and below the reasons of those that have not."""
    techniques = sorted(techniques, key=lambda technique: technique.name)
    lines = [f"  {'':<20}" + "".join(f"{runtime.name:<14}" for runtime in runtimes)]
    lacking: dict[tuple[str, str], list[str]] = {}
    for technique in techniques:
        cells = []
        for runtime in runtimes:
            reason = runtime.lacks(technique)
            cells.append("-" if reason else "yes")
            if reason:
                lacking.setdefault((runtime.name, reason), []).append(technique.name.partition(":")[0])
        lines.append(f"  {technique.name.partition(':')[0]:<20}" + "".join(f"{cell:<14}" for cell in cells))
    reasons = [f"  {name} has no {', '.join(names)}: {reason}." for (name, reason), names in lacking.items()]
    return "\n".join(line.rstrip() for line in [*lines, *reasons])
