"""The worker's side of preparation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from bench.core.errors import DataError, TrainingError, UnsupportedError
from bench.core.report import Report
from bench.measuring import machine, tf32
from bench.measuring.params import WEIGHT_LAYERS, count_parameters
from bench.results.machine import Machine
from bench.storage import checkpoint
from bench.storage.checkpoint import DataIdentity, EpochRecord, Header, TrainingSpec
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.dataset import Dataset, Split
from bench.tasks.policy import DataPolicy
from bench.tasks.task import TASKS, ModelSpec, Recipe, Task
from bench.tasks.training.distillation import Distillation
from bench.tasks.training.kept_memory import keep_freed_memory
from bench.tasks.training.loop import train
from bench.techniques.base import TECHNIQUES
from bench.techniques.lowbit.layers import low_bit_layers
from bench.worker import layers
from bench.worker.messages import DatasetSummary, QuantizableLayer


class PreparationHost:
    """Describes the machine, loads data, trains models; each in a process of its own."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def describe(self) -> Machine:
        """Describe this machine."""
        return machine.describe()

    def load(
        self, task: str, policy: DataPolicy, data_root: Path | None, path: Path, loaded: Path | None = None
    ) -> DatasetSummary:
        """Load a task's data into the shared file ``path``, or take those in ``loaded``; raises ``DataError``."""
        torch.set_num_threads(1)
        owner = TASKS.get(task)
        if loaded is None:
            dataset = owner.load(policy, data_root)
            _save(dataset, path)
        else:
            path.symlink_to(loaded)  # files of variants lie beside it, and not where it is kept
            dataset = Dataset.open(path)
        specs = {spec.name: owner.resolve(spec, dataset) for spec in owner.models}
        structures = {name: _structure(spec) for name, spec in specs.items()}
        return DatasetSummary(
            task=task,
            path=path,
            identity=DataIdentity(dataset.kind, dataset.fingerprint),
            train_examples=len(dataset.train),
            test_examples=len(dataset.test),
            description=dict(dataset.description),
            specs=specs,
            parameters={name: count_parameters(structure) for name, structure in structures.items()},
            layers={name: _weight_layers(structure) for name, structure in structures.items()},
            modules={name: _modules(structure) for name, structure in structures.items()},
        )

    def quantizable_layers(self, spec: ModelSpec, technique: str) -> list[QuantizableLayer]:
        """Return the layers of a resolved model that a technique would change, in the model's order."""
        return layers.quantizable_layers(_structure(spec), technique)

    def train(self, training: TrainingSpec, dataset_path: Path, store: CheckpointStore) -> Header:
        """Train one model and write its checkpoint; raises ``TrainingError`` or ``UnsupportedError``.

        Until the checkpoint is there, what was saved of the unfinished training is kept.
        """
        self._report(0, 1)  # it has begun; the loop speaks up after a number of steps
        recipe = Recipe(**training.recipe)  # type: ignore[arg-type]
        keep_freed_memory()
        torch.set_num_threads(recipe.threads)
        tf32.turn_off()
        torch.manual_seed(training.seed)
        task = TASKS.get(training.task)
        dataset = Dataset.open(dataset_path)
        spec = task.resolve(next(spec for spec in task.models if spec.name == training.model), dataset)
        device = torch.device(training.device)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise TrainingError("it is to be trained on cuda, and this machine has no CUDA device that torch can use.")
        network = _built(spec, training).to(device)
        spec = replace(spec, hyperparameters=training.hyperparameters, recipe=recipe)
        if training.technique:
            network = TECHNIQUES.get(training.technique).prepare(network)
        data = dataset.train.to(device)
        distillation = _taught(training, network, task, spec, data, store)
        form = task.training_form(spec, network, data)
        unfinished = store.unfinished(training)
        try:
            trained = train(form, training.precision, training.seed, device, self._report, distillation, unfinished)
            header = Header(
                **training.model_dump(),
                vocabulary=task.vocabulary(spec, dataset),
                seconds=round(trained.seconds, 3),
                history=[EpochRecord(loss=epoch.loss, seconds=round(epoch.seconds, 3)) for epoch in trained.history],
                threads=recipe.threads,
                torch=str(torch.__version__),
                processor=machine.processor(training.device),
            )
            checkpoint.save(store.path(training), trained.network, header)
        except OSError as error:
            raise TrainingError(
                f"the cache {store.folder} cannot be written ({error.strerror}); make room there, and the same command "
                f"goes on from the last epoch that was saved, or name another with $QUANTBENCH_CACHE."
            ) from error
        unfinished.unlink(missing_ok=True)
        return header


def _save(dataset: Dataset, path: Path) -> None:
    """Write the file that all processes share; raises ``DataError``."""
    try:
        dataset.save(path)
    except OSError as error:
        raise DataError(
            f"{path.parent.parent} cannot be written ({error.strerror}); make room there, or name another folder for "
            f"temporary files with $TMPDIR."
        ) from error


def _taught(
    training: TrainingSpec, student: nn.Module, task: Task, spec: ModelSpec, data: Split, store: CheckpointStore
) -> Distillation | None:
    """Start the student with its teacher's weights if asked to; return the loss if the teacher has a part in it."""
    asked = training.distillation_spec
    if asked is None:
        return None
    teacher, _ = checkpoint.load(store.locate(asked.teacher) or store.folder / asked.teacher)
    teacher = spec.arrange(teacher.to(data.labels.device)).requires_grad_(False)
    if asked.initialise:
        state = student.state_dict()
        shared = {name: value for name, value in teacher.state_dict().items() if name in state}
        student.load_state_dict(shared, strict=False)
        for layer in low_bit_layers(student).values():
            layer.technique.start(layer)
    if not asked.weight:
        return None
    module = task.training_form(spec, teacher, data).module.eval()  # it is given what the student is given
    return Distillation(module, asked.weight, asked.temperature)


def _built(spec: ModelSpec, training: TrainingSpec) -> nn.Module:
    """Build the network; raises ``UnsupportedError`` if it does not take what a technique adds to ``spec``."""
    try:
        return replace(spec, hyperparameters=training.hyperparameters).build()
    except TypeError as error:
        added = training.hyperparameters.keys() - spec.hyperparameters.keys()
        if not added:
            raise
        raise UnsupportedError(
            f"the network {training.network} takes no {', '.join(sorted(added))}, which the technique asks for; "
            f"leave that option out"
        ) from error


def _structure(spec: ModelSpec) -> nn.Module:
    """Return the network without values."""
    with torch.device("meta"):
        return spec.build()


def _modules(network: nn.Module) -> list[str]:
    return [name for name, _ in network.named_modules() if name]


def _weight_layers(network: nn.Module) -> list[str]:
    return [name for name, part in network.named_modules() if isinstance(part, WEIGHT_LAYERS)]
