"""Which tasks, models, techniques and batch sizes make a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.core.errors import RequestError, UnknownNameError
from bench.core.variant_key import BASELINE, EAGER, VariantKey
from bench.measuring.latency.sampling import SPREAD_S
from bench.runtimes.base import RUNTIMES
from bench.tasks.task import TASKS, ModelSpec, Task
from bench.techniques.base import TECHNIQUES, Technique

LAB_MODELS = ("mnist/lab1", "mnist/lab2", "sst2/lab1", "sst2/lab2", "cifar10/resnet8")
LAB_TECHNIQUES = ("fp32", "fp16", "bf16", "dynamic-fp16", "dynamic-qint8", "static-qint8", "amp")
DEPLOYED_TECHNIQUES = ("fp32", "bf16", "dynamic-qint8", "static-qint8")

ALL = "all"
"""Every runtime."""


@dataclass(frozen=True)
class Suite:
    """A named choice of models, as ``task/model``, and what is measured of them where nobody says."""

    name: str
    description: str
    models: tuple[str, ...]
    techniques: tuple[str, ...] = LAB_TECHNIQUES
    runtimes: tuple[str, ...] = (EAGER,)
    spread_s: float = SPREAD_S
    """Over so many seconds the passes of one model are spread at least."""


SUITES = {
    suite.name: suite
    for suite in (
        Suite("lab", "the course exercise: MLPs on MNIST and SST-2, ResNet-8 on CIFAR-10", LAB_MODELS),
        Suite(
            "quick",
            "a first look: one MLP of each kind of data, four techniques",
            ("mnist/lab1", "sst2/lab2"),
            DEPLOYED_TECHNIQUES,
            spread_s=0.0,
        ),
        Suite(
            "deploy",
            "the lab's models as one deploys them: four techniques on every runtime",
            LAB_MODELS,
            DEPLOYED_TECHNIQUES,
            (ALL,),
        ),
    )
}


@dataclass(frozen=True)
class Selected:
    """One model of one task."""

    task: Task
    spec: ModelSpec

    @property
    def name(self) -> str:
        """``task/model``."""
        return f"{self.task.name}/{self.spec.name}"


def suite_named(name: str) -> Suite:
    """Return a suite; raises ``UnknownNameError``."""
    if name not in SUITES:
        raise UnknownNameError("suite", name, SUITES)
    return SUITES[name]


def select_models(suite: str, tasks: Sequence[str], models: Sequence[str]) -> list[Selected]:
    """Return the suite's models, or those that ``tasks`` and ``models`` name.

    A task stands for its models in the suite, or for its first where the suite has none; a model is
    ``task/model``, or ``model`` in every task chosen, else in the suite, else in all tasks.
    Raises ``UnknownNameError`` or ``RequestError``.
    """
    chosen_tasks = [TASKS.get(name) for name in tasks]
    in_suite = [_one(name) for name in suite_named(suite).models]
    if models:
        return _unique([selected for name in models for selected in _named(name, chosen_tasks, in_suite)])
    if not chosen_tasks:
        return in_suite
    return _unique(
        [
            selected
            for task in chosen_tasks
            for selected in [entry for entry in in_suite if entry.task is task] or [Selected(task, task.models[0])]
        ]
    )


def select_variants(techniques: Sequence[str], runtimes: Sequence[str]) -> list[VariantKey]:
    """Return each technique on each runtime; the baseline comes first, asked for or not.

    ``all`` stands for every runtime. Raises ``UnknownNameError``, or ``RequestError`` for a technique's options.
    """
    names = [TECHNIQUES.get(name).name for name in techniques]
    offered = [runtime.name for runtime in RUNTIMES.offered()]
    for runtime in runtimes:
        if runtime not in (*offered, ALL):
            raise UnknownNameError("runtime", runtime, [*offered, ALL])
    chosen = offered if ALL in runtimes else runtimes
    return list(dict.fromkeys([BASELINE, *(VariantKey(name, runtime) for runtime in chosen for name in names)]))


def check_layers(techniques: Sequence[Technique], layers: Iterable[str]) -> None:
    """Raise ``UnknownNameError`` for a layer in a technique's name that is not one of ``layers``."""
    known = set(layers)
    for technique in techniques:
        for layer in technique.named_layers:
            if layer not in known:
                raise UnknownNameError("layer", layer, known)


def _one(name: str) -> Selected:
    task_name, _, model_name = name.partition("/")
    task = TASKS.get(task_name)
    for spec in task.models:
        if spec.name == model_name:
            return Selected(task, spec)
    raise UnknownNameError(f"{task.name} model", model_name, [spec.name for spec in task.models])


def _named(name: str, tasks: Sequence[Task], in_suite: Sequence[Selected]) -> list[Selected]:
    if "/" in name:
        selected = _one(name)
        if tasks and selected.task not in tasks:
            chosen = ", ".join(task.name for task in tasks)
            raise RequestError(f"--model {name} is not of the tasks chosen by --task ({chosen}); drop one of the two.")
        return [selected]
    if not tasks and (of_suite := [entry for entry in in_suite if entry.spec.name == name]):
        return of_suite
    among = list(tasks or TASKS)
    named = [Selected(task, spec) for task in among for spec in task.models if spec.name == name]
    if not named:
        raise UnknownNameError("model", name, {spec.name for task in among for spec in task.models})
    return named


def _unique(selected: Sequence[Selected]) -> list[Selected]:
    return list({entry.name: entry for entry in selected}.values())
