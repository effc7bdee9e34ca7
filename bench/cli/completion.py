"""The names that a shell completes, each with what it stands for; none of them needs torch."""

from __future__ import annotations

from collections.abc import Callable

Names = list[tuple[str, str]]


def _suites() -> Names:
    from bench.running.suites import SUITES

    return [(suite.name, suite.description) for suite in SUITES.values()]


def _tasks() -> Names:
    from bench.tasks.task import TASKS

    return [(task.name, task.title) for task in TASKS]


def _models() -> Names:
    from bench.tasks.task import TASKS

    return [(f"{task.name}/{spec.name}", spec.description) for task in TASKS for spec in task.models]


def _techniques() -> Names:
    from bench.techniques.base import TECHNIQUES

    return [(technique.name.partition(":")[0], technique.summary) for technique in TECHNIQUES]


def _runtimes() -> Names:
    from bench.running.suites import ALL
    from bench.runtimes.base import RUNTIMES

    return [*((runtime.name, runtime.summary) for runtime in RUNTIMES.offered()), (ALL, "every runtime")]


def _recipes() -> Names:
    from bench.tasks.recipes import RECIPES

    return [(recipe.name, recipe.note) for recipe in RECIPES]


NAMES: dict[str, Callable[[], Names]] = {
    "suite": _suites,
    "task": _tasks,
    "model": _models,
    "technique": _techniques,
    "runtime": _runtimes,
    "recipe": _recipes,
}
"""By what an option's ``names`` says."""
