"""A user's model: built in each process, its inputs from the file that all share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.core.errors import UserModelError, WorkerError
from bench.core.inputs import Inputs
from bench.core.report import Report
from bench.core.tensors import tensors_in
from bench.core.variant_key import BASELINE, EAGER
from bench.measuring.free_memory import free_memory_bytes
from bench.measuring.layer_work import layer_work
from bench.measuring.scores import LayerWork
from bench.results.evaluation import Evaluation
from bench.runtimes.base import Executable
from bench.storage import packed
from bench.techniques import fast_path
from bench.techniques.base import TECHNIQUES, Artifact
from bench.worker.messages import VariantRequest
from bench.worker.user import train as training
from bench.worker.user.build import build, digest_weights, seed_everything
from bench.worker.user.evaluate import CallableLikeTheModel, judge
from bench.worker.user.examples import Examples
from bench.worker.user.memory import shortage
from bench.worker.user.model import BuiltModel
from bench.worker.workload import Cast, Workload

OUTPUTS_KEPT = 1_000_000
"""Values that are compared with fp32's."""


class UserWorkload(Workload):
    """Nothing is known of the model but its examples."""

    supplied = False

    def __init__(self, request: VariantRequest, built: BuiltModel, report: Report = lambda done, total: None) -> None:
        self._request = request
        self._report = report
        technique = TECHNIQUES.get(request.key.technique)
        self._trained_as = technique if technique.trained_as and built.definition.train else None
        self.own_training = self._trained_as is not None
        self._trained = request.packed.with_name(f"{request.packed.name}.trained")
        self._built = built
        self._definition = built.definition
        self._examples = Examples.open(built.facts.examples)
        self.answers_at_random = built.facts.random

    def train(self) -> None:
        """Let the user's function train it as the technique asks; the weights go beside the variant's file."""
        part = self._definition.train
        if self._trained_as is None or part is None or self._trained.exists():
            return
        network = training.prepared(self._trained_as, self._plain())
        seed_everything(self._built.seed)
        training.train(part, network, self._trained, self._report)

    def model(self) -> nn.Module:
        """Build it, or load what was trained for the technique."""
        if self._trained_as is None:
            return self._plain()
        return training.load(training.prepared(self._trained_as, self._plain()), self._trained)

    def _plain(self) -> nn.Module:
        """Build it; raises ``UserModelError`` if that gives other weights than before."""
        module = self._build()
        if digest_weights(module) != self._built.facts.weights:
            raise UserModelError(
                f"{self._definition.model.words} gives other weights each time it is called; load them from a file."
            )
        return module

    def _build(self) -> nn.Module:
        """Build it; raises ``WorkerError`` where memory lacks: beside variants that are there it may."""
        if reason := shortage(self._built.facts.weight_bytes, free_memory_bytes()):
            raise WorkerError(f"{reason} beside the other variants; measure fewer techniques and runtimes in one run")
        return build(self._definition.model, self._built.seed)

    def inputs(self, batch_size: int) -> Inputs:
        """Return example inputs."""
        return self._examples.batch(batch_size)

    def probe(self) -> Inputs:
        """Return example inputs."""
        return self._examples.probe()

    def calibration(self) -> Sequence[Inputs]:
        """Return the user's batches, else the largest batch of example inputs."""
        return self._examples.to_calibrate_with()

    def judge(self, executable: Executable, artifact: Artifact | None, cast: Cast, report: Report) -> Evaluation:
        """Ask the user's function, if there is one, and keep some outputs."""
        seed_everything(self._built.seed)  # a model that draws at random draws the same in each variant
        with torch.inference_mode():
            outputs = [_real(value) for value in tensors_in(executable.outputs(cast(self.probe())))]
        floats = [value.float().cpu().reshape(-1) for value in outputs if value.is_floating_point()]
        kept = torch.cat(floats)[:OUTPUTS_KEPT] if floats else torch.empty(0)
        accuracy, share = None, None
        if self._definition.evaluate is not None:
            seed_everything(self._built.seed)  # what it draws at random is the same for each variant
            try:
                device = torch.device(self._request.device)
                answered_by = artifact if artifact is not None and self._request.key.runtime == EAGER else executable
                model = CallableLikeTheModel(answered_by, device, report)
                accuracy, share = judge(self._definition.evaluate, model)
            except UserModelError as error:
                if self._request.key == BASELINE:
                    raise
                cause = str(error).rpartition(";")[0]  # it managed with fp32: this is the variant's failure
                raise WorkerError(f"{cause}, which it did not with {BASELINE}") from error
        return Evaluation(accuracy, share, outputs=kept.numpy())

    def macs(self) -> int | None:
        """Return what was counted when the model was first built."""
        return self._built.facts.macs

    def origin(self) -> packed.Origin:
        """Name the callable that builds it."""
        return packed.Origin(
            model=self._definition.name,
            technique=self._request.key.technique,
            engine=self._request.engine,
            built_by=self._definition.model.words,
            trained_as=self._trained_as.trained_as if self._trained_as else "",
        )

    def rebuild(self) -> Artifact:
        """Build it again, discard its weights, and load those of the file."""
        request = self._request
        return packed.load_user_model(request.packed, self._build(), self.inputs(1), request.device).artifact

    def identity(self) -> str:
        """Return its name and weights: the run's folder, in which its graphs are kept, has one model of a name."""
        return f"{self._definition.name} {self._built.facts.weights}"

    def notes(self, artifact: Artifact | None, *, calibrated: bool) -> tuple[str, ...]:
        """Say what was calibrated on, how an encoder runs, and beside fp32 what is to be known of the model itself."""
        remarks = self._built.facts.remarks if self._request.key == BASELINE else ()
        return (*remarks, *notes(self._examples, artifact, calibrated=calibrated))

    def work(self, module: nn.Module, example: Inputs) -> list[LayerWork]:
        """Return nothing too for modules whose calls are not as the rules expect them."""
        try:
            return layer_work(module, example.rows(slice(1)))
        except Exception:  # anything may stand in a user's module, and a score that is unknown stops nothing
            return []


def _real(value: Tensor) -> Tensor:
    return torch.view_as_real(value.resolve_conj()) if value.is_complex() else value


def notes(examples: Examples, artifact: Artifact | None, *, calibrated: bool) -> tuple[str, ...]:
    """Say so if no better calibration was to be had, and if the variant runs in another way than the model."""
    said = []
    if calibrated and not examples.calibration():
        said.append("calibrated on the example inputs, as no calibrate was given: real data may have other ranges")
    if artifact is not None and fast_path.split(artifact.module):
        said.append("torch's fused operator for an encoder layer cannot hold quantized layers: its parts run alone")
    return tuple(said)
