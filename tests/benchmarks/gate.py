"""Whether the gate keeps its promises on this machine: no false alarm, and what is planted is found.

    python -m tests.benchmarks.gate [--tries 20] [--budget 90] [--precision 0.01] [--out reports/gate]

Each try measures mnist/lab2 three times: a base, the same again, and with 10 % longer calls planted in one technique,
another one each try. The gate ``latency > 5%`` must not fail the second run, must not pass the third, and must name no
row of it but the planted one. How often it decides is said too. The third also has two hundred of MNIST's ten thousand
answers made wrong in every technique, which ``accuracy < -0.5pp`` must find. Needs the real MNIST. Each run may spend
its budget, in which some 25 processes of each variant fit, so 20 tries take up to two hours; the same command goes
on after an interrupt. A bound that is missed is said to be missed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import numpy as np
from pydantic import Field, ValidationError
from torch import Tensor

from bench.comparing import gate, gate_rule
from bench.comparing.comparison import Comparison, compare
from bench.core.files import write_atomically
from bench.core.units import percent
from bench.measuring.latency.blocks import WarmUp
from bench.measuring.machine import describe
from bench.report.tables import table
from bench.results.evaluation import Evaluation
from bench.results.machine import Machine, same_hardware
from bench.results.record import Record
from bench.results.row import Accuracy
from bench.results.run import Run
from bench.running.runner import run
from bench.runtimes.eager import EagerExecutable
from bench.stats.describe import mean_std
from bench.worker.messages import VariantFacts, VariantRequest
from bench.worker.variant_host import VariantHost

MODEL = "mnist/lab2"
TECHNIQUES = ("fp32", "bf16", "dynamic-qint8")
SLOW_DOWN = 0.1
WRONG = 200
"""Of ten thousand answers: 2 points."""
PLANTED = "QUANTBENCH_GATE_PLANTED"
"""The environment variable that tells workers which technique is slowed; every one then answers worse."""
LATENCY, ACCURACY = gate_rule.parse("latency > 5%"), gate_rule.parse("accuracy < -0.5pp")


class PlantedHost(VariantHost):
    """A variant with what is planted."""

    _slow: bool
    _wrong: bool

    def build(self, request: VariantRequest) -> VariantFacts:
        """Note what is planted here."""
        self._note(request)
        return super().build(request)

    def reload(self, request: VariantRequest) -> None:
        """Note what is planted here: the processes that are timed reload."""
        self._note(request)
        super().reload(request)

    def evaluate(self) -> Evaluation:
        """Answer, and if that is planted make the first right answers wrong."""
        evaluation = super().evaluate()
        if evaluation.right is None or evaluation.answers is None or evaluation.accuracy is None:
            raise TypeError("the experiment is on models that tasks supply")
        if not self._wrong:
            return evaluation
        right, answers = evaluation.right.copy(), evaluation.answers.copy()
        spoilt = np.flatnonzero(right)[:WRONG]
        right[spoilt] = False
        answers[spoilt] = (answers[spoilt] + 1) % 10
        accuracy = Accuracy(correct=evaluation.accuracy.correct - len(spoilt), total=evaluation.accuracy.total)
        return Evaluation(accuracy, answers=answers, right=right)

    def warm_up(self, batch_sizes: Sequence[int], cores: Sequence[int]) -> dict[int, WarmUp]:
        """Warm up, each call delayed if that is planted."""
        if self._slow and isinstance(self._executable, EagerExecutable):
            artifact = self._executable.artifact
            forward = functools.partial(delayed, artifact.forward)
            self._executable = EagerExecutable(dataclasses.replace(artifact, forward=forward))
        return super().warm_up(batch_sizes, cores)

    def _note(self, request: VariantRequest) -> None:
        planted = os.environ.get(PLANTED, "")
        self._slow, self._wrong = planted == request.key.technique, bool(planted)


def delayed(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Call ``forward``, and spin for a share of what that took."""
    start = time.perf_counter_ns()
    outputs = forward(inputs)
    now = time.perf_counter_ns()
    end = now + SLOW_DOWN * (now - start)
    while time.perf_counter_ns() < end:
        pass
    return outputs


class Figure(Record):
    """The change of one row's latency."""

    technique: str
    batch_size: int
    value: float
    low: float | None
    high: float | None
    p_value: float | None
    least: float | None
    """The least growth that would have been called one."""
    word: str
    in_seconds: float
    """The same change without the reference workload."""


class Try(Record):
    """What the gate said of one base, the same again, and what was planted."""

    planted: str
    """The technique that was slowed."""
    same: list[Figure]
    slowed: list[Figure]
    false_alarms: list[str]
    """What broke the gate although nothing was planted."""
    passed: bool
    """Whether the gate passed the same, with every figure decided."""
    named: bool
    """Whether the slowed row broke the gate at one batch size at least."""
    let_through: bool
    """Whether the gate on latency alone passed what was slowed."""
    misnamed: list[str]
    """Which other rows broke the gate beside it."""
    worse: list[str]
    """The rows of which the lost answers broke the gate, of all."""


class Experiment(Record):
    """All tries."""

    quantbench: str
    created: str
    machine: Machine
    budget_s: float
    """For the latencies of one run, at most."""
    precision: float
    """Of the speed-ups, as a share: a run that reaches it ends before its budget."""
    seconds: float
    tries: list[Try] = Field(default_factory=list)


def main() -> None:
    """Try, print the table, write it and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--budget", type=float, default=90.0, help="seconds of one measurement")
    parser.add_argument("--precision", type=float, default=0.01, help="of speed-ups: a run that reaches it ends early")
    parser.add_argument("--out", type=Path, default=Path("reports/gate"))
    options = parser.parse_args()
    start = time.monotonic()
    experiment = before(options.out / "gate.json", options.budget, options.precision)
    before_s = experiment.seconds if experiment else 0.0
    for number in range(len(experiment.tries) if experiment else 0, options.tries):
        planted = TECHNIQUES[number % len(TECHNIQUES)]
        with patch("bench.running.rows.VARIANT_HOST", "tests.benchmarks.gate:PlantedHost"):
            base, same, slowed = [measure(name, options.budget, options.precision) for name in ("", "", planted)]
        one = judge(base, same, slowed, planted)
        print(f"try {number + 1}: {sentence(one)}", flush=True)
        experiment = Experiment(
            quantbench=experiment.quantbench if experiment else base.quantbench,
            created=experiment.created if experiment else base.created,
            machine=experiment.machine if experiment else base.machine,
            budget_s=options.budget,
            precision=options.precision,
            seconds=before_s + time.monotonic() - start,
            tries=[*(experiment.tries if experiment else ()), one],
        )
        write_atomically(options.out / "gate.json", json.dumps(experiment.model_dump(mode="json"), indent=1) + "\n")
        write_atomically(options.out / "gate.md", render(experiment) + "\n")
    if experiment is None:
        parser.error("--tries must be 1 or more")
    text = render(experiment)
    print(text)
    sys.exit("| missed" in text)


def before(path: Path, budget_s: float, precision: float) -> Experiment | None:
    """Return what the same command found before it was interrupted, on this machine and by this version.

    A file of another form is one of another version.
    """
    try:
        experiment = Experiment.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
    asked = (version("quantbench"), budget_s, precision) == (
        experiment.quantbench,
        experiment.budget_s,
        experiment.precision,
    )
    return experiment if asked and same_hardware(experiment.machine, describe()) else None


def measure(planted: str, budget_s: float, precision: float) -> Run:
    """Return a run in which the calls of ``planted`` take longer."""
    os.environ[PLANTED] = planted
    with tempfile.TemporaryDirectory() as folder:
        return run(
            models=[MODEL],
            techniques=TECHNIQUES,
            data="real",
            budget_s=budget_s,
            precision=precision,
            out=folder,
            progress=False,
        )


def judge(base: Run, same: Run, slowed: Run, planted: str) -> Try:
    """Return what the gate says of both runs beside the base."""
    with_same = compare(base, same, rules=[LATENCY, ACCURACY])
    with_slowed = compare(base, slowed, rules=[LATENCY, ACCURACY])
    outcome = gate.check(with_same)
    slower = broken(with_slowed, LATENCY)
    return Try(
        planted=planted,
        same=figures(with_same),
        slowed=figures(with_slowed),
        false_alarms=[gate.broken_words(broken) for broken in outcome.broken],
        passed=outcome.exit_code() == 0,
        named=planted in slower,
        let_through=gate.check(compare(base, slowed, rules=[LATENCY])).exit_code() == 0,
        misnamed=sorted(slower - {planted}),
        worse=sorted(broken(with_slowed, ACCURACY)),
    )


def broken(comparison: Comparison, rule: gate_rule.Rule) -> set[str]:
    """Return the techniques whose rows break the rule."""
    return {str(change.variant) for change in comparison.pairs[0].changes if rule.broken_by(change)}


def figures(comparison: Comparison) -> list[Figure]:
    """Return the changes of latency."""
    return [
        Figure(
            technique=str(change.variant),
            batch_size=change.batch_size or 0,
            value=change.value,
            low=change.low,
            high=change.high,
            p_value=change.p_value,
            least=change.least,
            word=change.word,
            in_seconds=change.after / change.before - 1,
        )
        for change in comparison.pairs[0].changes
        if change.quantity == "latency"
    ]


def sentence(one: Try) -> str:
    """Say in a line what came of a try."""
    same = "passed" if one.passed else f"{len(one.false_alarms)} false alarms, or undecided"
    slowed = "named" if one.named else "LET THROUGH" if one.let_through else "undecided"
    return f"the same {same}; {one.planted} slowed and {slowed}, beside it {one.misnamed}"


def render(experiment: Experiment) -> str:
    """Return the table of what the gate said, and of what it is held against."""
    tries = experiment.tries
    n = len(tries)
    rows = [
        _row("Two runs of the same commit fail", sum(bool(one.false_alarms) for one in tries), n, 0),
        _row("They pass, with every figure decided", sum(one.passed for one in tries), n, None),
        _row(f"A planted {percent(SLOW_DOWN, 0)} slow-down passes", sum(one.let_through for one in tries), n, 0),
        _row("Its row is named", sum(one.named for one in tries), n, n),
        _row("Another row is named beside it", sum(bool(one.misnamed) for one in tries), n, 0),
        _row(
            f"{WRONG} of 10,000 answers made wrong fail, in every row",
            sum(len(one.worse) == len(TECHNIQUES) for one in tries),
            n,
            n,
        ),
    ]
    alone = [figure for one in tries for figure in one.same]
    least = [figure.least for figure in alone if figure.least is not None]
    return (
        table(rows, ["Question", "Tries", "Bound", "Reached"])
        + f"\n\nEach try: three runs of {MODEL} with {', '.join(TECHNIQUES)}, at most {experiment.budget_s:g} s of "
        f"latencies each (--precision {percent(experiment.precision, 0)}); '{LATENCY}' and '{ACCURACY}'. Between two "
        f"runs of the same commit relative latencies differed by "
        f"{_spread([figure.value for figure in alone])} (one standard deviation, {len(alone)} figures), in seconds by "
        f"{_spread([figure.in_seconds for figure in alone])}; a growth of {_typical(least)} would have been called one "
        f"(median). Measured on {experiment.machine.cpu}, "
        f"{experiment.machine.logical_cores} cores, {experiment.created}, torch {experiment.machine.torch}, in "
        f"{experiment.seconds / 60:.0f} min."
    )


def _row(question: str, tries: int, of: int, bound: int | None) -> list[str]:
    if bound is None:
        return [question, f"{tries} of {of}", "none set", ""]
    return [question, f"{tries} of {of}", f"{bound} of {of}", "yes" if tries == bound else "missed"]


def _typical(values: Sequence[float]) -> str:
    return percent(statistics.median(values), 1) if values else "no size"


def _spread(values: Sequence[float]) -> str:
    return percent(mean_std(values).std or 0.0, 1)


if __name__ == "__main__":
    main()
