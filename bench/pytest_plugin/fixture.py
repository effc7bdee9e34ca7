"""The fixture ``quantbench``: one variant of a user's model, timed by pytest-benchmark, its figures in extra_info."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.core.copies import copy_of
from bench.core.errors import CheckpointError, QuantbenchError, RequestError, UnsupportedError, UserModelError
from bench.core.inputs import Inputs
from bench.core.variant_key import BASELINE
from bench.measuring import machine, params, size
from bench.measuring.latency import blocks
from bench.options.shared import DEFAULT_ENGINE
from bench.results.extra_info import OWN, ExtraInfo
from bench.runtimes.eager import EagerExecutable
from bench.storage import packed
from bench.techniques.base import TECHNIQUES, Technique
from bench.worker.convert import Conversion, Target, convert, layers_of, notes_on, treated_by
from bench.worker.user.evaluate import CallableLikeTheModel, accuracy_in
from bench.worker.user.examples import Examples, calibration_in
from bench.worker.user.given import calibration_batch, inputs_in
from bench.worker.user.usable import require_usable, uncompiled
from bench.worker.user.workload import notes

CPU = torch.device("cpu")
Example = Tensor | tuple[Any, ...] | Mapping[str, Any]
"""A tensor, a tuple by position, a dict by name, or ``(args, kwargs)``."""
Predict = Callable[..., Any]
"""The variant as a function that can be called like the model: float32 inputs, batch first, to its outputs."""
Answers = float | tuple[int, int]
"""The share of right answers; or how many are right, and of how many, from which an interval follows."""


class QuantBench:
    """Applies a technique to a copy of a model, times it, and notes what else there is to know of it."""

    def __init__(self, benchmark: Any) -> None:
        self._benchmark = benchmark
        self._used = False

    def __call__(
        self,
        model: nn.Module,
        inputs: Example,
        *,
        technique: str = BASELINE.technique,
        batch_size: int | None = None,
        evaluate: Callable[[Predict], Answers] | None = None,
        calibrate: Example | Iterable[Example] | None = None,
        threads: int = 1,
        engine: str | None = None,
        name: str | None = None,
    ) -> ExtraInfo:
        """Time one forward pass of ``model`` after ``technique`` and return what goes into ``extra_info``.

        ``inputs`` are examples, batch first, a tensor or as many as the model takes; ``batch_size`` of them make the
        batch that is timed, by default all, and repeated where there are fewer. ``evaluate`` is called with the variant
        and returns the share of right answers, or better ``(right, total)``. ``calibrate`` are training inputs for
        techniques that observe ranges, by default ``inputs``: a tensor, or batches. ``engine`` is the quantized engine,
        by default fbgemm where this torch has it. ``name`` is what tables call the model, by default its class;
        ``task/model`` puts it under a task.

        The model is not changed, and torch's threads and engine are put back. A technique that cannot treat the model
        skips the test with the reason; a request that makes no sense fails it with a sentence.
        """
        try:
            if self._used:
                raise RequestError(
                    "quantbench(…) was called before in this test, and pytest-benchmark times one function a test; "
                    "use pytest.mark.parametrize."
                )
            with _torch_set(threads, engine or _default_engine()):
                chosen = _technique(technique)
                batch = _batch(model, inputs, batch_size)
                examples = Examples({batch.batch_size: batch}, _calibration(calibrate, batch, model))
                conversion = _converted(chosen, model, examples, batch)
                return self._measure(
                    conversion,
                    chosen,
                    batch,
                    evaluate,
                    name or type(getattr(model, "_orig_mod", model)).__name__,
                    examples,
                )
        except QuantbenchError as error:
            refusal = error
        if isinstance(refusal, UnsupportedError):  # here, where pytest shows no exception before it
            pytest.skip(f"{technique}: {refusal}")
        pytest.fail(str(refusal), pytrace=False)

    def _measure(
        self,
        conversion: Conversion,
        technique: Technique,
        batch: Inputs,
        evaluate: Callable[[Predict], Answers] | None,
        name: str,
        examples: Examples,
    ) -> ExtraInfo:
        artifact, before = conversion.artifact, conversion.before
        threads, engine = torch.get_num_threads(), torch.backends.quantized.engine
        accuracy, share = None, None
        if evaluate is not None:
            with torch.no_grad():
                accuracy, share = accuracy_in(evaluate(CallableLikeTheModel(artifact, CPU)), "evaluate")
            _set(threads, engine)
        task, _, own_name = name.rpartition("/")
        info = ExtraInfo(
            quantbench=version("quantbench"),
            task=task or OWN,
            model=own_name,
            technique=technique.name,
            scheme=technique.scheme,
            dtype=technique.dtype("cpu"),
            batch_size=batch.batch_size,
            threads=threads,
            device="cpu",
            engine=engine,
            size_bytes=size.state_dict_bytes(artifact.module),
            packed_bytes=_packed_bytes(artifact.module),
            params=params.count_parameters(artifact.module),
            layers=layers_of(artifact, before),
            treated=treated_by(technique.name, artifact, before),
            accuracy=accuracy.correct / accuracy.total if accuracy else share,
            correct=accuracy.correct if accuracy else None,
            total=accuracy.total if accuracy else None,
            simulated=artifact.simulated,
            notes=[
                *artifact.notes,
                *notes_on(technique.name, artifact, before),
                *notes(examples, artifact, calibrated=conversion.calibrated),
            ],
            warm_up_s=[],
            warm=False,
        )
        batch = batch.cast(CPU, getattr(torch, artifact.input_dtype))
        call = EagerExecutable(artifact).bind(batch)
        with torch.inference_mode():
            if self._benchmark.enabled:
                warmed = blocks.warm_up(_Calls(call))
                info = info.model_copy(update={"warm_up_s": warmed.blocks_s, "warm": warmed.warm})
            self._benchmark.extra_info.update(info.model_dump())
            self._used = True
            self._benchmark(artifact.forward, *batch.args, **batch.kwargs)
        return info


class _Calls:
    """What ``blocks.warm_up`` warms."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call

    def time(self, calls: int) -> float:
        return blocks.time_calls(self._call, calls)


@contextmanager
def _torch_set(threads: int, engine: str) -> Iterator[None]:
    """Set threads and quantized engine, and put back what was set, by a variant too; raises ``RequestError``."""
    cores = machine.usable_cores()
    if not 1 <= threads <= cores:
        raise RequestError(f"threads={threads} is not between 1 and the {cores} cores that this process may use.")
    supported = machine.supported_engines()
    if engine not in supported and supported:
        raise RequestError(f"this torch has no quantized engine {engine!r}; choose from {', '.join(supported)}.")
    before = torch.get_num_threads(), torch.backends.quantized.engine
    try:
        _set(threads, engine if supported else before[1])
        yield
    finally:
        _set(*before)


def _set(threads: int, engine: str) -> None:
    torch.set_num_threads(threads)
    torch.backends.quantized.engine = engine


def _default_engine() -> str:
    default = DEFAULT_ENGINE
    active: str = torch.backends.quantized.engine
    return default if default in machine.supported_engines() else active


def _technique(name: str) -> Technique:
    """Return the technique; raises ``UnsupportedError`` if it cannot work here, ``RequestError`` if it must train."""
    technique = TECHNIQUES.get(name)
    if technique.trained_as:
        raise RequestError(
            f"{name} takes part in the training, and quantbench(…) gets a trained model; "
            f"train with 'bench train', or choose a technique that comes after it, such as range-linear:w4."
        )
    engine = torch.backends.quantized.engine
    if unsupported_reason := technique.unsupported_reason("cpu", engine, machine.supported_engines()):
        raise UnsupportedError(unsupported_reason)
    return technique


def _batch(model: nn.Module, inputs: Example, batch_size: int | None) -> Inputs:
    """Return the batch that is timed; raises ``RequestError`` for a model or inputs that cannot be."""
    if not isinstance(model, nn.Module):
        raise UserModelError(f"model is a {type(model).__name__}; give a torch.nn.Module.")
    if not any(
        torch.nn.parameter.is_lazy(value) for value in model.parameters()
    ):  # the first call of a copy fills those
        require_usable(model, "the test")
    examples = inputs_in(inputs, "the argument inputs")
    if elsewhere := {str(tensor.device) for tensor in (*model.parameters(), *examples.tensors)} - {"cpu"}:
        raise RequestError(
            f"the model or its inputs are on {', '.join(sorted(elsewhere))} and quantbench(…) times on the CPU; "
            f"move both with .cpu(), or use 'bench run --device cuda'."
        )
    rows = examples.batch_size if batch_size is None else batch_size
    if rows < 1:
        raise RequestError(f"batch_size={rows} is no batch; give 1 or more.")
    return examples.repeated(rows)


def _calibration(given: Example | Iterable[Example] | None, example: Inputs, model: nn.Module) -> list[Inputs]:
    """Return batches: a tensor, a tuple of tensors or a dict is one."""
    if given is None:
        return []
    words = "the argument calibrate"
    batches = [given] if isinstance(given, Tensor | tuple | Mapping) else given
    return calibration_in(
        batches, words, lambda batch: calibration_batch(batch, example, model, words, "the argument inputs")
    )


def _converted(technique: Technique, model: nn.Module, examples: Examples, batch: Inputs) -> Conversion:
    """Apply the technique to a copy."""
    copied, _ = uncompiled(copy_of(model).eval())
    if technique.name != BASELINE.technique:
        with torch.inference_mode():
            batch.call(copied)  # what fails here is the test's matter, and what fails only afterwards the technique's
    target = Target(CPU, torch.backends.quantized.engine, _isa())
    calibration = examples.to_calibrate_with
    return convert(technique.name, lambda: copied, batch, calibration, target, supplied=False, own_training=False)


@functools.cache
def _isa() -> frozenset[str]:
    return frozenset(machine.describe().isa)


def _packed_bytes(module: nn.Module) -> int | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return packed.pack(module, Path(folder) / "packed").file_bytes
        except CheckpointError:
            return None
