"""The one model that a study looks at: a task's, whose weights are trained when they are asked for, or a user's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import RequestError
from bench.core.progress import Bars, display
from bench.core.variant_key import EAGER, VariantKey
from bench.measuring import machine
from bench.options.run import SUPPLIED_ONLY_IN_STUDIES
from bench.options.studies import InspectOptions, SensitivityOptions
from bench.results.machine import Machine
from bench.results.provenance import Data, Training
from bench.results.settings import Settings
from bench.running import this_machine
from bench.running.evaluated import EvaluatedVariant, evaluate_variants
from bench.running.model_session import ModelSession, model_session, require_technique
from bench.running.provenance import data_of, training_of
from bench.running.training_precision import PrecisionPolicy, preferred_precision
from bench.running.user_models import build_user_model, data_of_user
from bench.storage.checkpoint import TrainingSpec
from bench.tasks.source import cache_folder
from bench.tasks.temporary import temporary_folder
from bench.techniques.base import Technique
from bench.worker.messages import PREPARATION_HOST, QuantizableLayer, TaskModel, VariantRequest
from bench.worker.process import Worker, start_server
from bench.worker.user.in_memory import user_model_in_memory
from bench.worker.user.model import USER_HOST, BuiltModel, UserModel, slow_imports, titles, user_models


@dataclass(frozen=True)
class Weights:
    """Trained weights, and what a run says of them."""

    workload: TaskModel | BuiltModel
    trainings: Sequence[Training] = ()
    spec: TrainingSpec | None = None
    """Of a task's model."""


class StudiedModel(ABC):
    """See ``studied_model``."""

    name: str
    """As ``task/model``."""
    machine: Machine
    device: str
    engine: str
    """The quantized engine of its variants on eager."""
    bars: Bars
    folder: Path
    """Where its variants' files go."""
    data: Data
    titles: Mapping[str, str] = {}
    """What settings say of a user's inputs, accuracy and calibration."""

    @abstractmethod
    def modules(self) -> Sequence[str]:
        """Return the names of all that it is made of."""

    @abstractmethod
    def quantizable_layers(self, technique: Technique) -> list[QuantizableLayer]:
        """Return the layers that a technique would change, in the model's order."""

    @abstractmethod
    def weights(self, technique: Technique, seed: int) -> Weights:
        """Return the weights that a technique starts from, trained if they are not there."""

    def notes(self, technique: Technique, weights: Weights, settings: Settings) -> list[str]:
        """Return what is to be said of a technique on weights that were trained for another."""
        return []

    def require_possible(self, technique: Technique, engine: str | None = None) -> None:
        """Raise ``RequestError`` if the technique cannot work on this device, or with the ``engine`` chosen."""
        require_technique(technique, self.device, self.machine, engine)

    def request(self, technique: Technique, weights: Weights, packed: Path, runtime: str = EAGER) -> VariantRequest:
        """Return the request for a variant that is not timed."""
        return VariantRequest(
            key=VariantKey(technique.name, runtime),
            workload=weights.workload,
            packed=packed,
            device=self.device,
            engine=self.engine,
            isa=frozenset(self.machine.isa),
            threads=1,
            largest_batch=1,
            graphs=cache_folder() / "graphs" if isinstance(weights.workload, TaskModel) else None,
        )

    def evaluate(self, technique: Technique, weights: Weights, runtime: str = EAGER) -> EvaluatedVariant | Exception:
        """Make a variant and let it answer the test set, or what the user's function asks."""
        packed = self.folder / "evaluated.packed"
        [outcome] = evaluate_variants([self.request(technique, weights, packed, runtime)])
        return outcome


class _TaskModel(StudiedModel):
    def __init__(self, session: ModelSession, engine: str) -> None:
        self._session, self.engine = session, engine
        self.name, self.machine, self.device = session.selected.name, session.machine, session.options.device
        self.bars, self.folder, self.data = session.bars, session.dataset.path.parent, data_of(session.dataset)

    def modules(self) -> Sequence[str]:
        return self._session.dataset.modules[self._session.selected.spec.name]

    def quantizable_layers(self, technique: Technique) -> list[QuantizableLayer]:
        spec = self._session.dataset.specs[self._session.selected.spec.name]
        layers: list[QuantizableLayer] = _ask(PREPARATION_HOST, "quantizable_layers", spec, technique.name)
        return layers

    def weights(self, technique: Technique, seed: int) -> Weights:
        session = self._session
        spec = session.training(technique, seed)
        header = session.train_one(spec)
        task, model = session.selected.task.name, session.selected.spec.name
        workload = TaskModel(task, model, session.dataset.path, session.store.source(spec))
        return Weights(workload, [training_of(session.selected, header)], spec)

    def notes(self, technique: Technique, weights: Weights, settings: Settings) -> list[str]:
        if weights.spec is None:
            return []
        policy = PrecisionPolicy(settings.trained_on, self.machine.isa, settings.training_precision)
        preferred = preferred_precision(technique, self._session.selected.spec, settings.trained_on)
        return policy.notes(preferred, weights.spec, self._session.store)


class _OwnModel(StudiedModel):
    def __init__(self, built: BuiltModel, here: Machine, device: str, engine: str, folder: Path, bars: Bars) -> None:
        self._built, self.engine = built, engine
        self.name, self.machine, self.device, self.bars, self.folder = built.definition.name, here, device, bars, folder
        self.data = data_of_user(built.definition, built.facts)
        self.titles = titles([built.definition])

    def modules(self) -> Sequence[str]:
        names: list[str] = _ask(USER_HOST, "modules", self._built)
        return names

    def quantizable_layers(self, technique: Technique) -> list[QuantizableLayer]:
        layers: list[QuantizableLayer] = _ask(USER_HOST, "quantizable_layers", self._built, technique.name)
        return layers

    def weights(self, technique: Technique, seed: int) -> Weights:
        if technique.trained_as and self._built.definition.train is None:
            raise RequestError(
                f"{technique.name} takes part in the training, and {self.name} is measured as it is; "
                f"give --train path/to/file.py:callable, which trains a network, or choose range-linear."
            )
        return Weights(self._built)


def _ask(host: str, method: str, *arguments: object) -> Any:
    """Ask a worker, which has torch imported."""
    worker = Worker(host)
    try:
        return worker.call(method, *arguments)
    finally:
        worker.close()


@contextmanager
def studied_model(
    options: SensitivityOptions | InspectOptions, batch_sizes: Sequence[int] = (1,), engine: str | None = None
) -> Iterator[StudiedModel]:
    """Load the data of ``options.model``, or build a user's and try it; raises ``bench.QuantbenchError``.

    ``engine`` is the quantized engine, by default that of this machine.
    """
    with temporary_folder() as folder:
        definition = _user_model(options, folder)
        if definition is None:
            with model_session(options) as session:
                yield _TaskModel(session, machine.engine_of(engine, session.machine))
            return
        with Bars(display(options.progress)).live() as bars:
            start_server(slow_imports([definition]))
            here = this_machine.describe(bars)
            machine.require_device(options.device, here)
            chosen = machine.engine_of(engine, here)
            path = folder / "examples.safetensors"
            built = build_user_model(definition, path, bars, batch_sizes=batch_sizes, seed=options.seed)
            yield _OwnModel(built, here, options.device, chosen, folder, bars)


def _user_model(options: SensitivityOptions | InspectOptions, folder: Path) -> UserModel | None:
    if not isinstance(options.model, str):
        return user_model_in_memory(options.model, folder, **options.parts)
    return next(iter(user_models([options.model], options.parts, options.given(SUPPLIED_ONLY_IN_STUDIES))), None)
