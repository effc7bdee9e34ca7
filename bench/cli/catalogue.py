"""``bench list``: what there is to choose from."""

from __future__ import annotations

from bench.cli.output import show


def command() -> None:
    """List suites, models and techniques."""
    from bench.running.suites import SUITES
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
