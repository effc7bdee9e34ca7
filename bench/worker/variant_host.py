"""The worker's side of a variant: converts it, then measures it when told to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from bench.core.errors import CheckpointError
from bench.core.report import Report
from bench.core.tensors import Inputs, cast, digest, tensors_in
from bench.measuring import params, scores, size
from bench.measuring.latency import affinity, blocks, cuda
from bench.measuring.latency.rounds import Block
from bench.measuring.layer_outputs import output_statistics, record_outputs
from bench.measuring.layer_weights import inspect_layers
from bench.measuring.memory import MemoryProbe
from bench.measuring.params import WEIGHT_LAYERS
from bench.measuring.scores import LayerWork
from bench.results.evaluation import Evaluation
from bench.results.inspection import Inspection
from bench.results.run import Layers
from bench.runtimes.convert import convert
from bench.runtimes.eager import VariantTimer
from bench.storage import packed as packing
from bench.techniques.base import Variant
from bench.worker.messages import VariantFacts, VariantRequest
from bench.worker.supplied import Source, Supplied
from bench.worker.user.model import UserEvaluation
from bench.worker.user.source import Own


class VariantHost:
    """Holds one variant in a process of its own."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._variant: Variant
        self._timers: dict[int, VariantTimer] = {}

    def build(self, request: VariantRequest) -> VariantFacts:
        """Load, convert and describe; raises ``UnsupportedError``, ``CheckpointError`` or ``UserModelError``."""
        self._open(request)
        products = self._source.macs()
        probe = MemoryProbe(self._device)
        layers = self._convert(self._model, request.largest_batch, probe.loaded)
        peak_bytes = probe.peak_bytes()
        module = self._variant.module
        notes = (*self._variant.notes, *self._source.notes(self._variant))
        work = self._work()
        packed: packing.Packed | None = None
        try:
            packed = packing.pack(module, request.packed, self._source.origin())
        except CheckpointError as error:
            notes += (f"no packed file: {error}",)
        return VariantFacts(
            size_bytes=size.state_dict_bytes(module),
            packed_bytes=packed.file_bytes if packed else None,
            bytes_by_dtype=packed.bytes_by_dtype if packed else {},
            params=params.count_parameters(module),
            layers=Layers(changed=layers - params.count_plain_layers(module), total=layers),
            macs=products,
            peak_memory_bytes=peak_bytes,
            fingerprint=self._fingerprint(),
            simulated=self._variant.simulated,
            bit_operations=sum(layer.macs * layer.widest_input for layer in work) / 32 if work else None,
            scores={score.rule: score.value for score in scores.every_rule(work)} if work else {},
            notes=notes,
        )

    def reload(self, request: VariantRequest) -> str:
        """Rebuild the variant from its packed file alone and return its fingerprint; raises ``CheckpointError``."""
        self._open(request)
        self._variant = self._source.rebuild()
        self._set_torch()
        return self._fingerprint()

    def evaluate(self) -> Evaluation | UserEvaluation:
        """Answer the whole test set, or whatever the user's function asks."""
        evaluation = self._source.evaluate(self._variant, self._cast, self._report)
        self._set_torch()
        return evaluation

    def warm_up(self, batch_sizes: Sequence[int], cores: Sequence[int]) -> dict[int, blocks.WarmUp]:
        """Make the inputs of each batch size, warm up, size the block; then tie the process to ``cores``."""
        self._set_torch()
        warm_ups = {}
        for batch_size in batch_sizes:
            inputs = self._cast(self._source.inputs(batch_size))
            timer = self._timers[batch_size] = VariantTimer(self._variant, *inputs)
            warm_ups[batch_size] = blocks.warm_up(timer, least_s=cuda.WARM_CLOCKS_S if inputs[0].is_cuda else 0.0)
        if cores:
            affinity.pin(cores)
        return warm_ups

    def inspect(self, request: VariantRequest, described: Sequence[str]) -> Inspection:
        """Return what the technique made of each layer's weights, and the outputs of the ``described`` layers."""
        self._open(request)
        model = self._model()
        before = {
            name: part.weight.detach().clone()
            for name, part in model.named_modules()
            if isinstance(part, WEIGHT_LAYERS)
        }
        self._convert(lambda: model, 1)
        [inputs] = self._cast(self._source.probe())
        return Inspection(
            layers=inspect_layers(self._variant.module, before),
            described=described,
            outputs=output_statistics(record_outputs(self._variant.module, inputs, described)),
            scores={score.rule: score.value for score in scores.every_rule(self._work())},
        )

    def reallocate(self, batch_size: int) -> None:
        """Lay model and inputs out anew in memory."""
        self._timers[batch_size].reallocate()

    def time(self, batch_size: int, calls: int) -> Block:
        """Time one block of forward passes."""
        return self._timers[batch_size].block(calls)

    def _work(self) -> list[LayerWork]:
        return self._source.work(self._variant.module, self._cast(self._source.inputs(1)))

    def _open(self, request: VariantRequest) -> None:
        self._request = request
        self._set_torch()
        self._device = torch.device(request.device)
        self._source: Source = Supplied(request) if request.own is None else Own(request, request.own)

    def _convert(
        self, model: Callable[[], nn.Module], batch_size: int, converted: Callable[[], None] = lambda: None
    ) -> int:
        """Make the variant of ``model``, try it on a batch, and return the number of its weight layers."""
        request, source = self._request, self._source
        self._variant, layers = convert(
            request.technique,
            model,
            source,
            source.inputs(batch_size),
            device=self._device,
            engine=request.engine,
            isa=request.isa,
            converted=converted,
        )
        return layers

    def _model(self) -> nn.Module:
        model = self._source.model()
        self._set_torch()
        return model

    def _set_torch(self) -> None:
        """Set threads and quantized engine, which a user's code may have set since."""
        torch.set_num_threads(self._request.threads)
        if self._request.engine in torch.backends.quantized.supported_engines:
            torch.backends.quantized.engine = self._request.engine

    def _fingerprint(self) -> str:
        with torch.inference_mode():
            outputs = self._variant.forward(*self._cast(self._source.probe()))
        return digest(tensors_in(outputs))

    def _cast(self, inputs: Inputs) -> Inputs:
        return cast(inputs, self._device, getattr(torch, self._variant.input_dtype))
