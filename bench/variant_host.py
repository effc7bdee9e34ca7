"""The worker's side of a variant: converts it, then measures it when told to."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench import checkpoint
from bench.errors import UnsupportedError
from bench.measure import accuracy, latency, params, size
from bench.result import Accuracy, Layers
from bench.techniques.technique import TECHNIQUES, Context, Variant
from bench.variant import VariantFacts, VariantRequest
from bench.worker import Report
from tasks.dataset import Dataset
from tasks.task import TASKS

EVALUATION_BATCH = 250


class VariantHost:
    """Holds one variant in a process of its own."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._variant: Variant
        self._timers: dict[int, _VariantTimer] = {}

    def build(self, request: VariantRequest) -> VariantFacts:
        """Load, convert and describe; raises ``UnsupportedError`` or ``CheckpointError``."""
        torch.set_num_threads(request.threads)
        self._device = torch.device(request.device)
        self._task = TASKS.get(request.task)
        self._dataset = Dataset.open(request.dataset)
        spec = next(spec for spec in self._task.models if spec.name == request.model)
        self._spec = self._task.resolve(spec, self._dataset)
        model, _ = checkpoint.load(request.checkpoint)
        layers = params.count_weight_layers(model)
        context = Context(
            device=self._device,
            engine=request.engine,
            isa=request.isa,
            calibration=lambda: self._task.calibration(self._spec, self._dataset).to(self._device),
        )
        try:
            technique = TECHNIQUES.get(request.technique)
            self._variant = technique.convert(self._spec.arrange(model).to(self._device), context)
        except (NotImplementedError, RuntimeError) as error:
            if "not implemented for" in str(error):
                raise UnsupportedError(f"this torch cannot do it: {str(error).splitlines()[0]}") from error
            raise
        module = self._variant.module
        return VariantFacts(
            size_bytes=size.state_dict_bytes(module),
            params=params.count_parameters(module),
            layers=Layers(changed=layers - params.count_plain_layers(module), total=layers),
            notes=self._variant.notes,
        )

    def evaluate(self) -> Accuracy:
        """Measure the accuracy on the whole test set."""
        return accuracy.count_correct(self._variant.forward, self._batches())

    def warm_up(self, batch_size: int) -> latency.WarmUp:
        """Make the inputs of this batch size, warm up, size the block."""
        index = torch.arange(batch_size) % len(self._dataset.test)
        inputs = self._cast(self._task.inputs(self._spec, self._dataset.test[index]))
        self._timers[batch_size] = _VariantTimer(self._variant, inputs)
        return latency.warm_up(self._timers[batch_size])

    def time(self, batch_size: int, calls: int) -> float:
        """Time one block: the seconds that ``calls`` forward passes took."""
        return self._timers[batch_size].time(calls)

    def _cast(self, inputs: Tensor) -> Tensor:
        return inputs.to(self._device, getattr(torch, self._variant.input_dtype))

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        test = self._dataset.test
        for index in torch.split(torch.arange(len(test)), EVALUATION_BATCH):
            part = test[index]
            yield self._cast(self._task.inputs(self._spec, part)), part.labels.to(self._device)
            self._report(int(index[-1]) + 1, len(test))


class _VariantTimer:
    """Times forward passes in inference mode on inputs made beforehand."""

    def __init__(self, variant: Variant, inputs: Tensor) -> None:
        self._forward = variant.forward
        self._inputs = inputs

    def time(self, calls: int) -> float:
        def synchronize() -> None:
            if self._inputs.is_cuda:
                torch.cuda.synchronize()

        with torch.inference_mode():
            return latency.time_calls(lambda: self._forward(self._inputs), calls, synchronize)
