"""What a run takes along, made ready on the driver's machine: data, weights, the user's files, and quantbench itself.

What must be trained is trained here, once for all nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.core.progress import Bars
from bench.fleet import parcel
from bench.fleet.package import package
from bench.fleet.parcel import Parcel
from bench.fleet.request import Role, RunRequest, SentModel, SentPart
from bench.options.fleet import FleetOptions
from bench.results.run_spec import RunSpec
from bench.running import this_machine
from bench.running.datasets import load_datasets
from bench.running.suites import select_models
from bench.running.task_models import trainings_of
from bench.running.training_precision import PrecisionPolicy
from bench.running.weights import load_or_train, require_device
from bench.storage.checkpoint import Header, weights_digest
from bench.storage.checkpoint_store import CheckpointStore
from bench.tasks.temporary import temporary_folder
from bench.worker.process import start_server
from bench.worker.user.callables import FilePart
from bench.worker.user.model import UserModel


@dataclass
class Cargo:
    """Parcels by their digests."""

    parcels: dict[str, Parcel] = field(default_factory=dict)

    def add(self, one: Parcel) -> str:
        """Take a parcel along and return its digest."""
        self.parcels[one.digest] = one
        return one.digest


@dataclass(frozen=True)
class Shipment:
    """A run as every node is given it."""

    request: RunRequest
    package: str
    """The digest of quantbench."""
    parcels: dict[str, Parcel]
    identity: str
    """Changes with the weights, the data and the files of users' models: with what rows of one fleet have in common."""


def prepare(spec: RunSpec, user_models: Sequence[UserModel], options: FleetOptions, bars: Bars) -> Shipment:
    """Load data, train what has no checkpoint, and pack everything; raises ``QuantbenchError``."""
    cargo = Cargo()
    out = Path(options.out or "").resolve()
    sent = [_sent(model, cargo, out) for model in user_models]
    if user_models:
        request = RunRequest(spec=spec, training_isa=[], datasets={}, user_models=sent)
        identities = [model.source() for model in user_models]
    else:
        request, identities = _with_weights(spec, options, cargo, bars)
    identity = hashlib.sha256("".join(sorted(identities)).encode()).hexdigest()[:16]
    return Shipment(request, cargo.add(package()), cargo.parcels, identity)


def _with_weights(spec: RunSpec, options: FleetOptions, cargo: Cargo, bars: Bars) -> tuple[RunRequest, list[str]]:
    """Return the request, and what changes with its data and weights."""
    store = CheckpointStore.of_user()
    store.require_writable()
    start_server()
    here = this_machine.describe(bars)
    policy = PrecisionPolicy(spec.trained_on, here.isa, spec.training_precision, options.retrain)
    selected = select_models(spec.suite, (), spec.models)
    datasets: dict[str, str] = {}
    checkpoints: dict[str, str] = {}
    identities: list[str] = []
    with temporary_folder() as folder:
        tasks = list(dict.fromkeys(entry.task for entry in selected))
        for task, dataset in load_datasets(tasks, spec.data, options.root, folder, bars).items():
            datasets[task.name] = cargo.add(parcel.of_file(dataset.path))
            identities.append(dataset.identity.fingerprint)
            of_task = [entry for entry in selected if entry.task is task]
            trainings = list(trainings_of(of_task, dataset, spec.variants, spec, policy, store).values())
            if spec.device == "cpu":  # nodes with a GPU can train on it what this machine cannot
                require_device(trainings, here, store, retrain=options.retrain)
            headers = load_or_train(trainings, dataset, store, bars.stage, retrain=options.retrain)
            trained = [training for training, header in headers.items() if isinstance(header, Header)]
            for training in trained:  # one that failed is tried again by each node, whose rows then say why
                checkpoints[training.file_name] = cargo.add(parcel.of_file(store.source(training)))
                identities.append(weights_digest(store.source(training)))  # the file says how long it took, too
    request = RunRequest(
        spec=spec, training_isa=list(here.isa), datasets=datasets, checkpoints=checkpoints, user_models=[]
    )
    return request, identities


def _sent(model: UserModel, cargo: Cargo, out: Path) -> SentModel:
    roles: dict[Role, object] = {
        "model": model.model,
        "inputs": model.inputs,
        "evaluate": model.evaluate,
        "calibrate": model.calibrate,
        "train": model.train,
    }
    return SentModel(
        task=model.task,
        name_in_task=model.name_in_task,
        parts={role: _sent_part(part, cargo, out) for role, part in roles.items() if isinstance(part, FilePart)},
    )


def _sent_part(part: FilePart, cargo: Cargo, out: Path) -> SentPart:
    digest = cargo.add(parcel.of_folder(part.path.parent, without=out))
    return SentPart(digest=digest, file=part.path.name, name=part.name)
