"""A user's model as a variant's source."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from bench.core.errors import UserModelError, WorkerError
from bench.core.report import Report
from bench.core.tensors import Inputs, tensors_in
from bench.measuring.layer_work import layer_work
from bench.measuring.scores import LayerWork
from bench.results.run import BASELINE
from bench.storage import packed
from bench.techniques.base import Variant
from bench.worker.messages import VariantRequest
from bench.worker.supplied import Source
from bench.worker.user.build import build, digest_weights, seed_everything
from bench.worker.user.evaluate import judge
from bench.worker.user.examples import Examples
from bench.worker.user.material import UserMaterial
from bench.worker.user.model import UserEvaluation, UserRequest

OUTPUTS_KEPT = 1_000_000
"""Values that are held against fp32's."""


class Own(UserMaterial, Source):
    """Builds the model anew in each process, and takes its inputs from the file that all share."""

    def __init__(self, request: VariantRequest, own: UserRequest) -> None:
        super().__init__(request.technique, Examples.open(own.facts.examples))
        self._request = request
        self._own = own

    def macs(self) -> int | None:
        """Return what was counted when the model was taken on."""
        return self._own.facts.macs

    def model(self) -> nn.Module:
        """Build it; raises ``UserModelError`` if that gives other weights than before."""
        module = build(self._own.model.model, self._own.seed)
        if digest_weights(module) != self._own.facts.weights:
            raise UserModelError(
                f"{self._own.model.model.words} gives other weights each time it is called; let it load them."
            )
        return module

    def inputs(self, batch_size: int) -> Inputs:
        """Return example inputs."""
        return self.examples.batch(batch_size)

    def probe(self) -> Inputs:
        """Return example inputs."""
        return self.examples.probe()

    def evaluate(self, variant: Variant, cast: Callable[[Inputs], Inputs], report: Report) -> UserEvaluation:
        """Ask the user's function, if there is one, and keep some outputs."""
        with torch.inference_mode():
            outputs = list(tensors_in(variant.forward(*cast(self.probe()))))
        floats = [value.float().cpu().reshape(-1) for value in outputs if value.is_floating_point()]
        kept = torch.cat(floats)[:OUTPUTS_KEPT] if floats else torch.empty(0)
        accuracy, share = None, None
        if self._own.model.evaluate is not None:
            seed_everything(self._own.seed)  # what it draws at random is the same for each variant
            try:
                device = torch.device(self._request.device)
                accuracy, share = judge(self._own.model.evaluate, variant, device, report)
            except UserModelError as error:
                if self._request.technique == BASELINE:
                    raise
                cause = str(error).rpartition(";")[0]  # it managed with fp32: this is the variant's failure
                raise WorkerError(f"{cause}, which it did not with {BASELINE}") from error
        return UserEvaluation(accuracy, share, kept.numpy())

    def origin(self) -> packed.Origin:
        """Name the callable that builds it."""
        return packed.Origin(
            model=self._own.model.name,
            technique=self._request.technique,
            engine=self._request.engine,
            built_by=self._own.model.model.words,
        )

    def rebuild(self) -> Variant:
        """Build it anew, forget its weights, and take those of the file."""
        module = build(self._own.model.model, self._own.seed)
        return packed.load_user_model(self._request.packed, module, self.inputs(1), self._request.device).variant

    def work(self, module: nn.Module, example: Inputs) -> list[LayerWork]:
        """Return nothing too for modules whose calls are not as the rules expect them."""
        try:
            return layer_work(module, *example)
        except Exception:  # anything may stand in a user's module, and a score that is unknown stops nothing
            return []
