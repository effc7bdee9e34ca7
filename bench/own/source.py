"""A user's model as a variant's source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from bench import packing
from bench.blame import told
from bench.errors import OwnModelError, UnsupportedError, WorkerError
from bench.measure import params
from bench.measure.work import layer_work
from bench.own.building import build, digest_weights, seed_everything
from bench.own.examples import Examples
from bench.own.judge import judge
from bench.own.model import OwnEvaluation, OwnRequest
from bench.result import BASELINE
from bench.scores import LayerWork
from bench.source import Source
from bench.techniques import fast_path
from bench.techniques.technique import Variant
from bench.tensors import Inputs, tensors_in
from bench.variant import VariantRequest
from bench.worker import Report

OUTPUTS_KEPT = 1_000_000
"""Values that are held against fp32's."""


class Own(Source):
    """Builds the model anew in each process, and takes its inputs from the file that all share."""

    own_training = False

    def __init__(self, request: VariantRequest, own: OwnRequest) -> None:
        self._request = request
        self._own = own
        self._examples = Examples.open(own.facts.examples)
        self._calibrated = False
        self._fused = True

    def macs(self) -> int | None:
        """Return what was counted when the model was taken on."""
        return self._own.facts.macs

    def model(self) -> nn.Module:
        """Build it; raises ``OwnModelError`` if that gives other weights than before."""
        module = build(self._own.model.model, self._own.seed)
        if digest_weights(module) != self._own.facts.weights:
            raise OwnModelError(
                f"{self._own.model.model.words} gives other weights each time it is called; let it load them."
            )
        return module

    def inputs(self, batch_size: int) -> Inputs:
        """Return example inputs."""
        return self._examples.batch(batch_size)

    def probe(self) -> Inputs:
        """Return example inputs."""
        return self._examples.probe()

    def calibration(self) -> Sequence[Inputs]:
        """Return the user's batches, else the largest batch of example inputs."""
        self._calibrated = True
        return self._examples.calibration() or [self._examples.batch(self._request.largest_batch)]

    def evaluate(self, variant: Variant, cast: Callable[[Inputs], Inputs], report: Report) -> OwnEvaluation:
        """Ask the user's function, if there is one, and keep some outputs."""
        with torch.inference_mode():
            outputs = list(tensors_in(variant.forward(*cast(self.probe()))))
        floats = [value.float().cpu().reshape(-1) for value in outputs if value.is_floating_point()]
        kept = torch.cat(floats)[:OUTPUTS_KEPT] if floats else torch.empty(0)
        accuracy, share = None, None
        if self._own.model.evaluate is not None:
            seed_everything(self._own.seed)  # what it draws at random is the same for each variant
            try:
                accuracy, share = judge(self._own.model.evaluate, variant, torch.device(self._request.device))
            except OwnModelError as error:
                if self._request.technique == BASELINE:
                    raise
                cause = str(error).rpartition(";")[0]  # it managed with fp32: this is the variant's failure
                raise WorkerError(f"{cause}, which it did not with {BASELINE}") from error
        return OwnEvaluation(accuracy, share, kept.numpy())

    def origin(self) -> packing.Origin:
        """Name the callable that builds it."""
        return packing.Origin(
            model=self._own.model.name,
            technique=self._request.technique,
            engine=self._request.engine,
            built_by=self._own.model.model.words,
        )

    def rebuild(self) -> Variant:
        """Build it anew, forget its weights, and take those of the file."""
        module = build(self._own.model.model, self._own.seed)
        return packing.load_own(self._request.packed, module, self.inputs(1), self._request.device).variant

    def work(self, module: nn.Module, example: Inputs) -> list[LayerWork]:
        """Return nothing too for modules whose calls are not as the rules expect them."""
        try:
            return layer_work(module, *example)
        except Exception:  # anything may stand in a user's module, and a score that is unknown stops nothing
            return []

    def settle(self, variant: Variant) -> None:
        """Remember whether torch's one operator for an encoder layer has become impossible."""
        self._fused = not fast_path.split(variant.module)

    def require_changed(self, variant: Variant, layers: int) -> None:
        """Refuse a row that would show the float32 model under another name."""
        left = params.count_plain_layers(variant.module)
        if variant.input_dtype == "float32" and variant.forward is variant.module and left == layers:
            if self._request.technique == BASELINE:
                return
            raise UnsupportedError(
                f"it finds nothing that it can treat among this model's {layers} Linear and convolution layers"
                if layers
                else "this model has no Linear and no convolution layers, and it treats nothing else"
            )

    def notes(self) -> tuple[str, ...]:
        """Say so if no better calibration was to be had, and if the variant runs in another way than the model."""
        found = []
        if self._calibrated and not self._examples.calibration():
            found.append("calibrated on the example inputs, as no calibrate was given: real data may have other ranges")
        if not self._fused:
            found.append(
                "torch's fused operator for an encoder layer cannot hold quantized layers: its parts run alone"
            )
        return tuple(found)

    def why_unsupported(self, error: Exception) -> str | None:
        """Blame the pair of technique and model for any exception that fp32 does not raise, unless memory ran out."""
        reason = super().why_unsupported(error)
        if reason or self._request.technique == BASELINE or isinstance(error, MemoryError):
            return reason
        if "can't allocate memory" in str(error) or "out of memory" in str(error):
            return None
        return f"the model does not work as {self._request.technique}: {told(error)}"
