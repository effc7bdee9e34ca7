"""One model of a task with its data: trains, makes variants of it, lets them answer the test set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import RequestError
from bench.core.progress import Bars, display
from bench.core.variant_key import VariantKey
from bench.measuring import machine
from bench.options.studies import ModelOptions
from bench.results.machine import Machine
from bench.results.quantized_engine import default_engine
from bench.running import this_machine
from bench.running.datasets import load_datasets
from bench.running.evaluated import EvaluatedVariant, evaluate_variants
from bench.running.suites import Selected, check_layers, select_models
from bench.running.training_graph import can_begin, untaught
from bench.running.training_precision import PrecisionPolicy
from bench.running.weights import load_or_train, require_device, training_spec
from bench.storage.checkpoint import DistillationSpec, Header, TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.temporary import temporary_folder
from bench.techniques.base import Technique
from bench.worker.messages import DatasetSummary, TaskModel, VariantRequest
from bench.worker.user.model import require_supplied


@dataclass(frozen=True)
class ModelSession:
    """Works on one model; see ``model_session``."""

    selected: Selected
    dataset: DatasetSummary
    machine: Machine
    options: ModelOptions
    store: CheckpointStore
    bars: Bars

    def training(
        self,
        technique: Technique,
        seed: int = 0,
        distillation_spec: DistillationSpec | None = None,
        policy: PrecisionPolicy | None = None,
    ) -> TrainingSpec:
        """Return what must be trained for a technique; the precision follows the machine without a ``policy``.

        Raises ``UnknownNameError`` if it names an unknown layer, and ``RequestError`` if it cannot work here.
        """
        check_layers([technique], self.dataset.layers[self.selected.spec.name])
        self.require_possible(technique)
        return training_spec(
            self.dataset,
            self.selected.spec.name,
            technique,
            seed,
            policy or PrecisionPolicy(self.options.trained_on, self.machine.isa),
            self.store,
            self.options.recipe_changes(),
            distillation_spec,
        )

    def require_possible(self, technique: Technique, engine: str | None = None) -> None:
        """Raise ``RequestError`` if the technique cannot work on this device, or with the ``engine`` chosen."""
        require_technique(technique, self.options.device, self.machine, engine)

    def train(self, trainings: Sequence[TrainingSpec], retrain: bool = False) -> dict[TrainingSpec, Header | Exception]:
        """Return the header of each training, or why it failed; checkpoints that are there are not trained again.

        Students wait for those of their teachers that are among ``trainings``. Raises ``RequestError`` if one is to be
        made on a GPU that is not here.
        """
        require_device(trainings, self.machine, self.store, retrain=retrain)
        outcomes: dict[TrainingSpec, Header | Exception] = {}
        while pending := [training for training in trainings if training not in outcomes]:
            outcomes |= untaught(pending, outcomes)
            ready = [training for training in pending if training not in outcomes and can_begin(training, pending)]
            outcomes |= load_or_train(ready, self.dataset, self.store, self.bars.stage, retrain=retrain)
        return outcomes

    def train_one(self, training: TrainingSpec) -> Header:
        """Return the training's header; raises what it failed of."""
        header = self.train([training])[training]
        if isinstance(header, Exception):
            raise header
        return header

    def request(self, technique: Technique, training: TrainingSpec, packed: Path) -> VariantRequest:
        """Return the request for a variant of trained weights, packed into the file ``packed``."""
        return VariantRequest(
            key=VariantKey(technique.name),
            workload=TaskModel(
                self.selected.task.name, self.selected.spec.name, self.dataset.path, self.store.source(training)
            ),
            packed=packed,
            device=self.options.device,
            engine=default_engine(self.machine),
            isa=frozenset(self.machine.isa),
            threads=1,
            largest_batch=1,
        )

    def evaluate(
        self,
        variants: Sequence[tuple[Technique, TrainingSpec]],
        headers: Mapping[TrainingSpec, Header | Exception],
    ) -> list[EvaluatedVariant | Exception]:
        """Make variants, as many at once as there are cores, and let each answer the whole test set.

        Where a training failed, the reason takes the variant's place.
        """
        at_once = machine.usable_cores()
        trained = [(*variant, headers[variant[1]]) for variant in variants]
        show = self.bars.bar(f"evaluate {self.selected.name}")
        evaluated: list[EvaluatedVariant | Exception] = []
        for first in range(0, len(trained), at_once):
            show(first, len(trained))
            evaluated += self._evaluate(trained[first : first + at_once])
        show(len(trained), len(trained))
        return evaluated

    def _evaluate(
        self, variants: Sequence[tuple[Technique, TrainingSpec, Header | Exception]]
    ) -> list[EvaluatedVariant | Exception]:
        requests = [
            header
            if isinstance(header, Exception)
            else self.request(technique, training, self.dataset.path.with_name(f"{position}.packed"))
            for position, (technique, training, header) in enumerate(variants)
        ]
        return evaluate_variants(requests)


def require_technique(technique: Technique, device: str, here: Machine, engine: str | None = None) -> None:
    """Raise ``RequestError`` if the technique cannot work on this device, or with the ``engine`` chosen."""
    reason = technique.unsupported_reason(device, engine or default_engine(here), here.quantized_engines)
    if reason and engine is None:  # most commands have no --engine to try
        reason = f"{reason.partition(';')[0]}; choose another technique, or another --device"
    if reason:
        raise RequestError(f"{technique.name} is not supported here: {reason}.")


@contextmanager
def model_session(options: ModelOptions) -> Iterator[ModelSession]:
    """Load the data of ``options.model``; raises ``bench.QuantbenchError``."""
    model = options.model
    require_supplied(model)
    selected = select_models("lab", (), [model])
    if len(selected) > 1:
        raise RequestError(
            f"{model} is a model of several tasks; choose {', '.join(entry.name for entry in selected)}."
        )
    store = CheckpointStore.of_user()
    store.require_writable()
    with Bars(display(options.progress)).live() as bars:
        here = this_machine.describe(bars)
        machine.require_device(options.device, here)
        with temporary_folder() as folder:
            datasets = load_datasets([selected[0].task], options.data, options.root, folder, bars)
            yield ModelSession(selected[0], datasets[selected[0].task], here, options, store, bars)
