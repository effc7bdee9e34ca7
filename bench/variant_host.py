"""The worker's side of a variant: converts it, then measures it when told to."""

from __future__ import annotations

import copy
import functools
import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from bench import checkpoint, packing, scores
from bench.errors import CheckpointError, UnsupportedError
from bench.lowbit import inspection
from bench.measure import accuracy, affinity, cuda, disturbance, latency, macs, params, size
from bench.measure.memory import MemoryProbe
from bench.measure.params import WEIGHT_LAYERS
from bench.measure.rounds import Block
from bench.measure.work import layer_work
from bench.report.bars import histograms
from bench.report.tables import table
from bench.result import Layers, write_atomically
from bench.scores import LayerWork
from bench.techniques.technique import TECHNIQUES, Context, Variant
from bench.variant import Evaluation, VariantFacts, VariantRequest
from bench.worker import Report
from tasks.dataset import Dataset
from tasks.task import TASKS

EVALUATION_BATCH = 250
PROBE = 32
"""Test examples whose logits a packed file must reproduce to the bit."""


class VariantHost:
    """Holds one variant in a process of its own."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._variant: Variant
        self._timers: dict[int, VariantTimer] = {}

    def build(self, request: VariantRequest) -> VariantFacts:
        """Load, convert and describe; raises ``UnsupportedError`` or ``CheckpointError``."""
        self._open(request)
        example = self._task.inputs(self._spec, self._dataset.test[torch.arange(1)])
        products = macs.count_macs(checkpoint.untrained(request.checkpoint, "meta"), example.to("meta"))
        probe = MemoryProbe(self._device)
        model, _ = checkpoint.load(request.checkpoint)
        layers = params.count_weight_layers(model)
        self._variant = self._convert(model, lambda: self._task.calibration(self._spec, self._dataset))
        del model
        probe.loaded()
        index = torch.arange(request.largest_batch) % len(self._dataset.test)
        with torch.inference_mode():
            self._variant.forward(self._cast(self._task.inputs(self._spec, self._dataset.test[index])))
        peak_bytes = probe.peak_bytes()
        module = self._variant.module
        notes = self._variant.notes
        work = self._work()
        packed: packing.Packed | None = None
        try:
            packed = packing.pack(module, request.packed, self._origin())
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
        self._variant = packing.load(request.packed, request.device).variant
        return self._fingerprint()

    def evaluate(self) -> Evaluation:
        """Answer the whole test set."""
        return accuracy.evaluate(self._variant.forward, self._batches())

    def warm_up(self, batch_sizes: Sequence[int], cores: Sequence[int]) -> dict[int, latency.WarmUp]:
        """Make the inputs of each batch size, warm up, size the block; then tie the process to ``cores``."""
        warm_ups = {}
        for batch_size in batch_sizes:
            index = torch.arange(batch_size) % len(self._dataset.test)
            inputs = self._cast(self._task.inputs(self._spec, self._dataset.test[index]))
            timer = self._timers[batch_size] = VariantTimer(self._variant, inputs)
            warm_ups[batch_size] = latency.warm_up(timer, least_s=cuda.WARM_CLOCKS_S if inputs.is_cuda else 0.0)
        if cores:
            affinity.pin(cores)
        return warm_ups

    def inspect(self, request: VariantRequest, layers: Sequence[str], folder: Path | None) -> str:
        """Return, as markdown, what the technique made of each layer's weights, and what ``layers`` put out.

        With a folder, the histograms are drawn into it as ``weights.svg``.
        """
        self._open(request)
        model, _ = checkpoint.load(request.checkpoint)
        before = {
            name: part.weight.detach().clone()
            for name, part in model.named_modules()
            if isinstance(part, WEIGHT_LAYERS)
        }
        self._variant = self._convert(model, lambda: self._task.calibration(self._spec, self._dataset))
        inputs = self._cast(self._task.inputs(self._spec, self._dataset.test[torch.arange(PROBE)]))
        inspected = inspection.inspect_layers(self._variant.module, before)
        outputs = inspection.record_outputs(self._variant.module, inputs, layers)
        parts = [inspection.table(inspected), inspection.outputs_table(outputs)]
        every = scores.every_rule(self._work())
        parts.append(table([[score.rule, f"{score.value:.4f}"] for score in every], ["Rule", "Score"]))
        if folder is not None:
            write_atomically(folder / "weights.svg", histograms(inspected))
        return "\n\n".join(filter(None, parts))

    def renew(self, batch_size: int) -> None:
        """Lay model and inputs out anew in memory."""
        self._timers[batch_size].renew()

    def time(self, batch_size: int, calls: int) -> Block:
        """Time one block of forward passes."""
        return self._timers[batch_size].block(calls)

    def _work(self) -> list[LayerWork]:
        """Return what each layer computes; nothing for modules that no rule tells the work of, such as int8 ones."""
        try:
            example = self._task.inputs(self._spec, self._dataset.test[torch.arange(1)])
            return layer_work(self._variant.module, self._cast(example))
        except UnsupportedError:
            return []

    def _origin(self) -> packing.Origin:
        header = checkpoint.read_header(self._request.checkpoint)
        return packing.Origin(
            model=f"{self._task.name}/{self._spec.name}",
            network=header.network,
            hyperparameters=header.hyperparameters,
            channels_last=self._spec.channels_last,
            trained_as=header.technique,
            technique=self._request.technique,
            engine=self._request.engine,
        )

    def _open(self, request: VariantRequest) -> None:
        torch.set_num_threads(request.threads)
        self._request = request
        self._device = torch.device(request.device)
        self._task = TASKS.get(request.task)
        self._dataset = Dataset.open(request.dataset)
        spec = next(spec for spec in self._task.models if spec.name == request.model)
        self._spec = self._task.resolve(spec, self._dataset)

    def _convert(self, model: nn.Module, calibration: Callable[[], Tensor]) -> Variant:
        context = Context(
            device=self._device,
            engine=self._request.engine,
            isa=self._request.isa,
            calibration=lambda: calibration().to(self._device),
        )
        try:
            technique = TECHNIQUES.get(self._request.technique)
            return technique.convert(self._spec.arrange(model).to(self._device), context)
        except (NotImplementedError, RuntimeError) as error:
            if "not implemented for" in str(error):
                raise UnsupportedError(f"this torch cannot do it: {str(error).splitlines()[0]}") from error
            raise

    def _fingerprint(self) -> str:
        inputs = self._cast(self._task.inputs(self._spec, self._dataset.test[torch.arange(PROBE)]))
        with torch.inference_mode():
            logits = self._variant.forward(inputs)
        return hashlib.sha256(logits.cpu().contiguous().view(torch.uint8).numpy().data).hexdigest()

    def _cast(self, inputs: Tensor) -> Tensor:
        return inputs.to(self._device, getattr(torch, self._variant.input_dtype))

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        test = self._dataset.test
        for index in torch.split(torch.arange(len(test)), EVALUATION_BATCH):
            part = test[index]
            yield self._cast(self._task.inputs(self._spec, part)), part.labels.to(self._device)
            self._report(int(index[-1]) + 1, len(test))


class VariantTimer:
    """Times forward passes in inference mode on inputs made beforehand."""

    def __init__(self, variant: Variant, inputs: Tensor) -> None:
        self._variant = variant
        self._inputs = inputs
        self._watch = disturbance.Watch()
        self._copies = _rotation(inputs)
        self._rest = 0

    def renew(self) -> None:
        """Copy model and inputs to new places and forget the old ones.

        Where that takes longer than a block, every second call does nothing, or more of them: laying out takes
        about as long as measuring at most, and a large model's luck averages out over its many pages.
        """
        if self._rest:
            self._rest -= 1
            return
        start = time.perf_counter()
        # On the cores it is timed on: copied from elsewhere, a process kept some of its luck (false alarms showed it).
        # Both copies exist for a moment, so the new one cannot lie where the old one did.
        self._variant, self._inputs = copy.deepcopy((self._variant, self._inputs))
        self._copies = _rotation(self._inputs)
        self._rest = int((time.perf_counter() - start) / latency.BLOCK_S)

    def time(self, calls: int) -> float:
        """Return the seconds of ``calls`` calls."""
        with torch.inference_mode():
            if self._copies:
                forward, following = self._variant.forward, itertools.cycle(self._copies)
                return cuda.time_calls(lambda: forward(next(following)), calls)
            lead_in = latency.LEAD_IN if torch.get_num_threads() == 1 else latency.THREADED_LEAD_IN
            return latency.time_calls(functools.partial(self._variant.forward, self._inputs), calls, lead_in)

    def block(self, calls: int) -> Block:
        """Return the seconds of ``calls`` calls, and what disturbed them."""
        before = self._watch.read()
        elapsed_s = self.time(calls)
        return Block(elapsed_s, disturbance.causes(before, self._watch.read(), elapsed_s))


def _rotation(inputs: Tensor) -> list[Tensor]:
    return cuda.copies_beyond_cache(inputs) if inputs.is_cuda else []
