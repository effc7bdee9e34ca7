"""The worker's side of a variant: makes it, then judges and times it when asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from bench.core.errors import CheckpointError
from bench.core.report import Report
from bench.core.tensors import Inputs, cast, digest, tensors_in
from bench.measuring import params, scores, size, tf32
from bench.measuring.latency import blocks
from bench.measuring.latency.rounds import Block
from bench.measuring.latency.timer import Timer, timers
from bench.measuring.layer_outputs import output_statistics, record_outputs
from bench.measuring.layer_weights import inspect_layers
from bench.measuring.memory import MemoryProbe
from bench.measuring.params import WEIGHT_LAYERS
from bench.measuring.scores import LayerWork
from bench.results.evaluation import Evaluation
from bench.results.inspection import Inspection
from bench.results.row import Layers
from bench.runtimes.base import RUNTIMES, Executable
from bench.storage import packed
from bench.techniques.base import Artifact
from bench.worker.convert import Conversion, Target, convert
from bench.worker.messages import TaskModel, VariantFacts, VariantRequest
from bench.worker.task_workload import TaskWorkload
from bench.worker.user.workload import UserWorkload
from bench.worker.workload import Workload


class VariantHost:
    """Holds one variant in a process of its own."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._timers: dict[int, Timer] = {}
        self._first_s: dict[int, float] = {}

    def build(self, request: VariantRequest) -> VariantFacts:
        """Load, convert and describe; raises ``UnsupportedError``, ``CheckpointError`` or ``UserModelError``."""
        self._open(request)
        products = self._workload.macs()
        probe = MemoryProbe(self._target.device)
        conversion = self._convert(self._model, request.largest_batch, probe.loaded)
        peak_bytes = probe.peak_bytes()
        module, layers = self._artifact.module, conversion.layers
        notes = (*self._artifact.notes, *self._workload.notes(conversion))
        work = self._work()
        smallest: packed.Packed | None = None
        try:
            smallest = packed.pack(module, request.packed, self._workload.origin())
        except CheckpointError as error:
            notes += (f"no packed file: {error}",)
        return VariantFacts(
            size_bytes=size.state_dict_bytes(module),
            packed_bytes=smallest.file_bytes if smallest else None,
            bytes_by_dtype=smallest.bytes_by_dtype if smallest else {},
            params=params.count_parameters(module),
            layers=Layers(changed=layers - params.count_plain_layers(module), total=layers),
            macs=products,
            peak_memory_bytes=peak_bytes,
            fingerprint=self._fingerprint(),
            simulated=self._artifact.simulated,
            bit_operations=sum(layer.macs * layer.widest_input for layer in work) / 32 if work else None,
            scores={score.rule: score.value for score in scores.every_rule(work)} if work else {},
            notes=notes,
        )

    def reload(self, request: VariantRequest) -> None:
        """Rebuild the variant from its packed file alone; raises ``CheckpointError``."""
        self._open(request)
        self._compile(self._workload.rebuild())
        self._set_torch()

    def verify(self, request: VariantRequest) -> str:
        """Rebuild it and return its fingerprint."""
        self.reload(request)
        return self._fingerprint()

    def evaluate(self) -> Evaluation:
        """Evaluate on the whole test set, or by the user's function."""
        evaluation = self._workload.judge(self._executable, self._artifact, self._cast, self._report)
        self._set_torch()
        return evaluation

    def call_first(self, batch_sizes: Sequence[int]) -> None:
        """Make the first call at each batch size, which is not timed: others may run beside it."""
        with torch.inference_mode():
            for batch_size in batch_sizes:
                call = self._executable.bind(self._cast(self._workload.inputs(batch_size)))
                start = time.perf_counter()
                call()
                self._first_s[batch_size] = time.perf_counter() - start

    def warm_up(self, batch_sizes: Sequence[int], cores: Sequence[int]) -> dict[int, blocks.WarmUp]:
        """Tie the process to ``cores``, make the inputs of each batch size, warm up and size the block."""
        self._set_torch()
        # Copies: those of a user's model are pages of a file, which all processes of a run would read from one place.
        batches = {
            size: tuple(value.clone() for value in self._cast(self._workload.inputs(size))) for size in batch_sizes
        }
        self._timers = timers(self._executable, batches, cores)
        return {size: timer.warm_up(self._first_s.get(size)) for size, timer in self._timers.items()}

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
        [inputs] = self._cast(self._workload.probe())
        return Inspection(
            layers=inspect_layers(self._artifact.module, before),
            described=described,
            outputs=output_statistics(record_outputs(self._artifact.module, inputs, described)),
            scores={score.rule: score.value for score in scores.every_rule(self._work())},
        )

    def time(self, batch_size: int, calls: int) -> Block:
        """Time one block of forward passes."""
        return self._timers[batch_size].block(calls)

    def _work(self) -> list[LayerWork]:
        return self._workload.work(self._artifact.module, self._cast(self._workload.inputs(1)))

    def _open(self, request: VariantRequest) -> None:
        self._request = request
        self._set_torch()
        self._target = Target(torch.device(request.device), request.engine, request.isa)
        self._workload: Workload = (
            TaskWorkload(request, request.workload)
            if isinstance(request.workload, TaskModel)
            else UserWorkload(request, request.workload)
        )

    def _convert(
        self, model: Callable[[], nn.Module], batch_size: int, converted: Callable[[], None] = lambda: None
    ) -> Conversion:
        """Make the variant of ``model`` and let it answer a batch."""
        workload = self._workload
        conversion = convert(
            self._request.key.technique,
            model,
            workload.inputs(batch_size),
            workload.calibration,
            self._target,
            supplied=workload.supplied,
            own_training=workload.own_training,
            converted=converted,
        )
        self._compile(conversion.artifact)
        return conversion

    def _compile(self, artifact: Artifact) -> None:
        self._artifact = artifact
        runtime = RUNTIMES.get(self._request.key.runtime)
        example = self._cast(self._workload.inputs(1))
        self._executable: Executable = runtime.compile(artifact, example, self._request.threads)

    def _model(self) -> nn.Module:
        model = self._workload.model()
        self._set_torch()
        return model

    def _set_torch(self) -> None:
        """Set threads, TF32 and quantized engine, which a user's code may have set since."""
        torch.set_num_threads(self._request.threads)
        tf32.turn_off()
        if self._request.engine in torch.backends.quantized.supported_engines:
            torch.backends.quantized.engine = self._request.engine

    def _fingerprint(self) -> str:
        with torch.inference_mode():
            outputs = self._executable.outputs(self._cast(self._workload.probe()))
        return digest(tensors_in(outputs))

    def _cast(self, inputs: Inputs) -> Inputs:
        return cast(inputs, self._target.device, getattr(torch, self._artifact.input_dtype))
