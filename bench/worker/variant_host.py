"""The worker's side of a variant: makes it, then judges and times it when asked."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from bench.core.inputs import Inputs
from bench.core.on_tensors import example_of
from bench.core.report import Report
from bench.core.tensors import as_arrays, digest, tensors_in
from bench.measuring import params, scores, size, tf32
from bench.measuring.latency import blocks
from bench.measuring.latency.rounds import Block
from bench.measuring.latency.timer import Timer, timers
from bench.measuring.layer_outputs import output_statistics, record_activations, record_outputs
from bench.measuring.layer_weights import inspect_layers
from bench.measuring.memory import MemoryProbe
from bench.measuring.params import WEIGHT_LAYERS
from bench.measuring.scores import LayerWork
from bench.results.evaluation import Evaluation
from bench.results.inspection import Inspection
from bench.runtimes.base import RUNTIMES, Executable, Source, Stored
from bench.runtimes.deployment import EXAMPLE, PROGRAM, described, program, save_example
from bench.storage.graph_cache import GraphCache
from bench.techniques.base import TECHNIQUES, Artifact
from bench.worker.convert import Target, convert, layers_of, notes_on, treated_by
from bench.worker.messages import DeployedFacts, LoadedFacts, TaskModel, VariantFacts, VariantRequest
from bench.worker.task_workload import TaskWorkload
from bench.worker.user.build import seed_everything
from bench.worker.user.workload import UserWorkload
from bench.worker.workload import Workload

DRAWS_ITSELF = "the model answers at random, and the runtime draws by itself: no output can be compared with fp32's"
DREW_ONCE = "the model answers at random, and this variant drew once, when it was traced: it does less work"


class VariantHost:
    """Holds one variant in a process of its own."""

    _executable: Executable
    _artifact: Artifact | None = None
    """What PyTorch executes, in the process that made it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._timers: dict[int, Timer] = {}
        self._calibrated = False
        self._first_s: dict[int, float] = {}

    def build(self, request: VariantRequest) -> VariantFacts:
        """Load, convert and describe; raises ``UnsupportedError``, ``CheckpointError`` or ``UserModelError``."""
        self._open(request)
        products = self._workload.macs()
        self._workload.train()
        begun = time.perf_counter()
        built = self._runtime.build(self._source(), request.packed)
        build_s = time.perf_counter() - begun
        self._set_torch()
        self._executable, self._artifact = built.executable, built.artifact
        draws = self._own_draws()
        facts = VariantFacts(
            size_bytes=built.file_bytes or 0,
            deploy_bytes=built.file_bytes,
            packed_bytes=built.packed.file_bytes if built.packed else None,
            bytes_by_dtype=built.packed.bytes_by_dtype if built.packed else {},
            params=self._float32_params,
            layers=None,
            int8_operations=built.int8_operations,
            macs=products,
            fingerprint=self._answers(seed=0),
            simulated=False,
            bit_operations=None,
            scores={},
            build_s=build_s,
            notes=(
                *built.notes,
                *draws,
                *self._workload.notes(built.artifact, calibrated=self._calibrated),
            ),
            own_draws=bool(draws),
        )
        return facts if self._artifact is None else self._described(facts, self._artifact)

    def reload(self, request: VariantRequest) -> None:
        """Load the variant from its file alone; raises ``CheckpointError``."""
        self._open(request)
        technique = TECHNIQUES.get(request.key.technique)
        stored = Stored(technique, request.packed, self._workload.rebuild, request.threads, request.cores)
        self._executable, self._artifact = self._runtime.load(stored), None
        self._set_torch()

    def verify(self, request: VariantRequest) -> LoadedFacts:
        """Load it, and measure what that takes."""
        self._open(request)
        batch, one = self._workload.inputs(request.largest_batch), self._workload.inputs(1)
        probe = MemoryProbe(self._target.device)
        begun = time.perf_counter()
        self.reload(request)
        load_s = time.perf_counter() - begun
        with torch.inference_mode():
            begun = time.perf_counter()
            self._executable.outputs(self._cast(one))
            first_answer_s = time.perf_counter() - begun
            probe.loaded()
            self._executable.outputs(self._cast(batch))
        return LoadedFacts(self._answers(seed=0), load_s, first_answer_s, probe.peak_bytes())

    def deploy(self, folder: Path, title: str, probe: Path) -> DeployedFacts:
        """Write into ``folder`` what runs the variant, built before, without quantbench.

        More examples, with the answers to them, go into the file ``probe``.
        """
        technique = TECHNIQUES.get(self._request.key.technique)
        stored = Stored(
            technique, self._request.packed, self._workload.rebuild, self._request.threads, engine=self._request.engine
        )
        example = example_of(self._cast(self._workload.inputs(2)))
        deployed = self._runtime.deploy(stored, self._artifact, example, folder)
        one = self._workload.inputs(1)
        for path, inputs in ((folder / EXAMPLE, one), (probe, self._workload.probe())):
            with torch.inference_mode():
                outputs = self._executable.outputs(self._cast(inputs))
            save_example(path, as_arrays(inputs.tensors), as_arrays(tensors_in(outputs)))
        (folder / PROGRAM).write_text(program(deployed, title, as_arrays(one.tensors)), encoding="utf-8")
        return DeployedFacts(
            files=deployed.files,
            packages=tuple(f"{name} {version(name)}" for name in (*deployed.packages, "numpy")),
            inputs=described(as_arrays(one.tensors)),
            notes=deployed.notes,
            exact=deployed.exact,
        )

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
            size: self._cast(self._workload.inputs(size)).changed(lambda value: value.clone()) for size in batch_sizes
        }
        self._timers = timers(self._executable, batches, cores)
        return {size: timer.warm_up(self._first_s.get(size)) for size, timer in self._timers.items()}

    def inspect(self, request: VariantRequest, described: Sequence[str]) -> Inspection:
        """Return what the technique made of each layer's weights, and the outputs of the ``described`` layers."""
        self._open(request)
        self._workload.train()
        before = {
            name: part.weight.detach().clone()
            for name, part in self._model().named_modules()
            if isinstance(part, WEIGHT_LAYERS)
        }
        artifact = self._convert()
        inputs = self._cast_for(artifact.input_dtype, self._workload.probe())
        return Inspection(
            layers=inspect_layers(artifact.module, before),
            described=described,
            outputs=output_statistics(record_outputs(artifact.module, inputs, described)),
            activations=output_statistics(record_activations(artifact.module, inputs, described)),
            scores={score.rule: score.value for score in scores.every_rule(self._work(artifact))},
        )

    def time(self, batch_size: int, calls: int) -> Block:
        """Time one block of forward passes."""
        return self._timers[batch_size].block(calls)

    def _open(self, request: VariantRequest) -> None:
        self._request = request
        self._set_torch()
        self._target = Target(torch.device(request.device), request.engine, request.isa)
        self._runtime = RUNTIMES.get(request.key.runtime)
        self._workload: Workload = (
            TaskWorkload(request, request.workload)
            if isinstance(request.workload, TaskModel)
            else UserWorkload(request, request.workload, self._report)
        )

    def _source(self) -> Source:
        workload = self._workload
        return Source(
            technique=TECHNIQUES.get(self._request.key.technique),
            convert=self._convert,
            model=self._model,
            inputs=workload.inputs,
            calibration=self._calibration,
            origin=workload.origin(),
            cache=self._graphs,
            isa=self._request.isa,
            threads=self._request.threads,
            as_given=not workload.supplied,
            batch_sizes=self._request.batch_sizes or (self._request.largest_batch,),
        )

    def _graphs(self) -> GraphCache:
        of_run = self._request.packed.with_name("graphs")
        return GraphCache(self._request.graphs or of_run, self._workload.identity())

    def _convert(self) -> Artifact:
        """Apply the technique, and let the result answer a batch."""
        conversion = convert(
            self._request.key.technique,
            self._model,
            self._workload.inputs(self._request.largest_batch),
            self._calibration,
            self._target,
            supplied=self._workload.supplied,
            own_training=self._workload.own_training,
        )
        self._before = conversion.before
        return conversion.artifact

    def _described(self, facts: VariantFacts, artifact: Artifact) -> VariantFacts:
        """Add what is known of a module."""
        module, before, work = artifact.module, self._before, self._work(artifact)
        technique, size_bytes = self._request.key.technique, size.state_dict_bytes(artifact.module)
        return dataclasses.replace(
            facts,
            size_bytes=size_bytes,
            params=params.count_parameters(module),
            layers=layers_of(artifact, before),
            treated=treated_by(technique, artifact, before),
            simulated=artifact.simulated,
            bit_operations=sum(layer.macs * layer.widest_input for layer in work) / 32 if work else None,
            scores={score.rule: score.value for score in scores.every_rule(work)} if work else {},
            notes=(
                *artifact.notes,
                *notes_on(technique, artifact, before),
                *size.view_note(module, size_bytes),
                *facts.notes,
            ),
        )

    def _work(self, artifact: Artifact) -> list[LayerWork]:
        example = self._cast_for(artifact.input_dtype, self._workload.inputs(1))
        return self._workload.work(artifact.module, example)

    def _model(self) -> nn.Module:
        model = self._workload.model()
        self._set_torch()
        self._float32_params = params.count_parameters(model)
        return model

    def _calibration(self) -> Sequence[Inputs]:
        self._calibrated = True
        return self._workload.calibration()

    def _set_torch(self) -> None:
        """Set threads, TF32 and quantized engine, which a user's code may have set since."""
        torch.set_num_threads(self._request.threads)
        tf32.turn_off()
        if self._request.engine in torch.backends.quantized.supported_engines:
            torch.backends.quantized.engine = self._request.engine

    def _answers(self, seed: int) -> str:
        """Return the digest of outputs, drawn under one seed where they are random."""
        seed_everything(seed)
        with torch.inference_mode():
            outputs = self._executable.outputs(self._cast(self._workload.probe()))
        return digest(tensors_in(outputs))

    def _own_draws(self) -> tuple[str, ...]:
        """Say so where the model draws at each call, and this variant once, or from a source that no seed reaches."""
        if not self._workload.answers_at_random:
            return ()
        first, again, other = (self._answers(seed) for seed in (0, 0, 1))
        if first == other:
            return (DREW_ONCE,)
        return (DRAWS_ITSELF,) if first != again else ()

    def _cast(self, inputs: Inputs) -> Inputs:
        return self._cast_for(self._executable.input_dtype, inputs)

    def _cast_for(self, input_dtype: str, inputs: Inputs) -> Inputs:
        return inputs.cast(self._target.device, getattr(torch, input_dtype))
