"""One model with its data: trains what is ordered, makes variants of it, lets them answer the test set."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.checkpoint import Header, Order, Teaching
from bench.datasets import load_datasets
from bench.errors import CheckpointError, RequestError
from bench.own.model import require_supplied
from bench.preparation import PREPARATION_HOST, DatasetSummary
from bench.progress import Bars, wanted
from bench.request import check_data
from bench.result import Machine
from bench.suite import Selected, check_layers, select_models
from bench.techniques.technique import Technique
from bench.variant import VARIANT_HOST, Evaluation, VariantFacts, VariantRequest
from bench.weights import NO_CHANGES, provide, require_cache, training_order
from bench.worker import Job, Worker, run_jobs
from tasks.source import DataPolicy


@dataclass(frozen=True)
class Made:
    """A variant that was made and has answered the test set."""

    facts: VariantFacts
    evaluation: Evaluation


class Workshop:
    """Works on one model; see ``workshop``."""

    def __init__(self, selected: Selected, dataset: DatasetSummary, here: Machine, device: str, bars: Bars) -> None:
        self.selected = selected
        self.dataset = dataset
        self.machine = here
        self.device = device
        self.bars = bars

    def order(
        self,
        technique: Technique,
        seed: int = 0,
        epochs: int | None = None,
        teaching: Teaching | None = None,
        changes: Mapping[str, Any] = NO_CHANGES,
    ) -> Order:
        """Return what must be trained for a technique.

        Raises ``UnknownNameError`` if it names a layer that is none, and ``RequestError`` if it cannot work here.
        """
        check_layers([technique], self.dataset.layers[self.selected.spec.name])
        self.require_possible(technique)
        return training_order(
            self.dataset, self.selected.spec.name, technique, seed, self.device, epochs, teaching, changes
        )

    def require_possible(self, technique: Technique, engine: str | None = None) -> None:
        """Raise ``RequestError`` if the technique cannot work on this device, or with the ``engine`` chosen."""
        reason = technique.obstacle(self.device, engine or machine.DEFAULT_ENGINE, self.machine.quantized_engines)
        if reason and engine is None:  # most commands have no --engine to try
            reason = f"{reason.partition(';')[0]}; choose another technique, or another --device"
        if reason:
            raise RequestError(f"{technique.name} cannot be had here: {reason}.")

    def train(self, orders: Sequence[Order], retrain: bool = False) -> list[Header | Exception]:
        """Return each order's header, or why its training failed; checkpoints that are there are not trained again."""
        wanted = list({order.path: order for order in orders}.values())
        cores = 1 if self.device == "cuda" else machine.usable_cores()
        headers = provide(wanted, self.dataset, retrain, cores, self.bars.bar)
        by_path = {order.path: header for order, header in zip(wanted, headers, strict=True)}
        return [by_path[order.path] for order in orders]

    def train_one(self, order: Order) -> Header:
        """Return the order's header; raises what its training failed of."""
        [header] = self.train([order])
        if isinstance(header, Exception):
            raise header
        return header

    def request(self, technique: Technique, order: Order, packed: Path) -> VariantRequest:
        """Return the request for a variant of trained weights, packed into the file ``packed``."""
        return VariantRequest(
            task=self.selected.task.name,
            model=self.selected.spec.name,
            technique=technique.name,
            dataset=self.dataset.path,
            checkpoint=order.path,
            packed=packed,
            device=self.device,
            engine=machine.DEFAULT_ENGINE,
            isa=frozenset(self.machine.isa),
            threads=1,
            largest_batch=1,
        )

    def make(self, variants: Sequence[tuple[Technique, Order]]) -> list[Made | Exception]:
        """Make variants, as many at once as there are cores, and let each answer the whole test set."""
        at_once = machine.usable_cores()
        show = self.bars.bar(f"evaluate {self.selected.name}")
        made: list[Made | Exception] = []
        for first in range(0, len(variants), at_once):
            show(first, len(variants))
            made += self._make(variants[first : first + at_once])
        show(len(variants), len(variants))
        return made

    def make_trained(
        self, variants: Sequence[tuple[Technique, Order]], headers: Sequence[Header | Exception]
    ) -> list[Made | Exception]:
        """Make the variants whose weights were trained, as ``make`` does; for the others return why they were not."""
        trained = [isinstance(header, Header) for header in headers]
        made = iter(self.make(list(itertools.compress(variants, trained))))
        return [header if isinstance(header, Exception) else next(made) for header in headers]

    def _make(self, variants: Sequence[tuple[Technique, Order]]) -> list[Made | Exception]:
        workers = [Worker(VARIANT_HOST) for _ in variants]
        requests = [
            self.request(technique, order, self.dataset.path.with_name(f"{position}.packed"))
            for position, (technique, order) in enumerate(variants)
        ]
        made: dict[int, Made | Exception] = {}
        facts: dict[int, VariantFacts] = {}
        try:
            builds = [Job(worker, "build", (request,)) for worker, request in zip(workers, requests, strict=True)]
            for position, outcome in run_jobs(builds, len(workers)):
                if isinstance(outcome, Exception):
                    made[position] = outcome
                else:
                    facts[position] = outcome
            positions = sorted(facts)
            answers = [Job(workers[position], "evaluate", ()) for position in positions]
            for index, outcome in run_jobs(answers, len(workers)):
                position = positions[index]
                made[position] = outcome if isinstance(outcome, Exception) else Made(facts[position], outcome)
        finally:
            for worker in workers:
                worker.close()
            for request in requests:
                request.packed.unlink(missing_ok=True)
        return [made[position] for position in range(len(variants))]

    def export(self, technique: Technique, order: Order, path: Path) -> VariantFacts:
        """Write the packed file of a variant to ``path``, once another process has rebuilt it to the same logits.

        Raises ``CheckpointError`` if it does not give the same.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        request = self.request(technique, order, path.with_name(f".{path.name}.{os.getpid()}.tmp"))
        maker, reader = Worker(VARIANT_HOST), Worker(VARIANT_HOST)
        try:
            facts: VariantFacts = maker.call("build", request)
            if facts.packed_bytes is None:
                raise CheckpointError(
                    f"{technique.name} has no packed file ({facts.notes[-1]}); choose another technique."
                )
            if reader.call("reload", request) != facts.fingerprint:
                raise CheckpointError(
                    f"the packed file of {technique.name} reloads to other logits; please report this."
                )
            request.packed.replace(path)
        finally:
            request.packed.unlink(missing_ok=True)
            maker.close()
            reader.close()
        return facts


@contextmanager
def workshop(
    model: str,
    *,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    progress: bool | None = None,
) -> Iterator[Workshop]:
    """Load the data of ``model`` (``task/model``); raises ``bench.QuantbenchError``."""
    require_supplied(model)
    root = check_data(data, data_root)
    selected = select_models("lab", (), [model])
    if len(selected) > 1:
        raise RequestError(
            f"{model} is a model of several tasks; say which: {', '.join(each.name for each in selected)}."
        )
    require_cache()
    with Bars(wanted(progress)).live() as bars:
        worker = Worker(PREPARATION_HOST)
        try:
            here: Machine = worker.call("describe")
        finally:
            worker.close()
        machine.require_device(device, here)
        with tempfile.TemporaryDirectory(prefix="quantbench-") as folder:
            datasets = load_datasets([selected[0].task], data, root, Path(folder), bars)
            yield Workshop(selected[0], datasets[selected[0].task], here, device, bars)
