"""The fixture ``quantbench``: one variant of a user's model, timed by pytest-benchmark, its figures in extra_info."""

from __future__ import annotations

import copy
import functools
import operator
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench import machine, packing
from bench.errors import CheckpointError, QuantbenchError, RequestError, UnsupportedError
from bench.extra_info import OWN, ExtraInfo
from bench.measure import latency, params, size
from bench.result import Layers
from bench.techniques.technique import TECHNIQUES, Context, Technique, Variant

Predict = Callable[[Tensor], Tensor]
"""The variant as a function: float32 inputs, batch first, to logits."""
Answers = float | tuple[int, int]
"""The share of right answers; or how many are right, and of how many, from which an interval follows."""

CALIBRATED_ON_INPUTS = "its ranges were observed on the example inputs, for want of training examples"


class QuantBench:
    """Applies a technique to a copy of a model, times it, and notes what else there is to know of it."""

    def __init__(self, benchmark: Any) -> None:
        self._benchmark = benchmark

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        *,
        technique: str = "fp32",
        batch_size: int | None = None,
        evaluate: Callable[[Predict], Answers] | None = None,
        calibrate: Tensor | None = None,
        threads: int = 1,
        engine: str | None = None,
        name: str | None = None,
    ) -> ExtraInfo:
        """Time one forward pass of ``model`` after ``technique`` and return what goes into ``extra_info``.

        ``inputs`` are examples, batch first; ``batch_size`` of them make the batch that is timed, by default all, and
        repeated where there are fewer. ``evaluate`` is called with the variant and returns the share of right answers,
        or better ``(right, total)``. ``calibrate`` are training inputs for techniques that observe ranges, by default
        ``inputs``. ``engine`` is the quantized engine, by default fbgemm where this torch has it. ``name`` is what
        tables call the model, by default its class; ``task/model`` puts it under a task.

        The model is not changed, and torch's threads and engine are put back. A technique that cannot treat the model
        skips the test with the reason; a request that makes no sense fails it with a sentence.
        """
        try:
            with _torch_set(threads, engine or _default_engine()):
                chosen = _technique(technique)
                batch = _batch(model, inputs, batch_size)
                calibration = (
                    _Calibration(inputs, CALIBRATED_ON_INPUTS) if calibrate is None else _Calibration(calibrate)
                )
                variant = _convert(chosen, model, batch, calibration)
                notes = [*variant.notes, *calibration.notes()]
                if chosen.training_precision("cpu") is not None:
                    notes.append("its weights were given, so nothing was trained for it")
                return self._measure(variant, chosen, model, batch, evaluate, name, notes)
        except QuantbenchError as error:
            refusal = error
        if isinstance(refusal, UnsupportedError):  # here, where pytest shows no exception before it
            pytest.skip(f"{technique}: {refusal}")
        pytest.fail(str(refusal), pytrace=False)

    def _measure(
        self,
        variant: Variant,
        technique: Technique,
        model: nn.Module,
        batch: Tensor,
        evaluate: Callable[[Predict], Answers] | None,
        name: str | None,
        notes: list[str],
    ) -> ExtraInfo:
        accuracy, correct, total = _accuracy(evaluate, variant) if evaluate else (None, None, None)
        layers = params.count_weight_layers(model)
        task, _, own_name = (name or type(model).__name__).rpartition("/")
        info = ExtraInfo(
            quantbench=version("quantbench"),
            task=task or OWN,
            model=own_name,
            technique=technique.name,
            scheme=technique.scheme,
            dtype=technique.dtype("cpu"),
            batch_size=len(batch),
            threads=torch.get_num_threads(),
            device="cpu",
            engine=torch.backends.quantized.engine,
            size_bytes=size.state_dict_bytes(variant.module),
            packed_bytes=_packed_bytes(variant.module),
            params=params.count_parameters(variant.module),
            layers=Layers(changed=layers - params.count_plain_layers(variant.module), total=layers),
            accuracy=accuracy,
            correct=correct,
            total=total,
            simulated=variant.simulated,
            notes=notes,
            warm_up_s=[],
            warm=False,
        )
        batch = _cast(batch, variant)
        with torch.inference_mode():
            if self._benchmark.enabled:
                warmed = latency.warm_up(_Calls(functools.partial(variant.forward, batch)))
                info = info.model_copy(update={"warm_up_s": warmed.blocks_s, "warm": warmed.warm})
            self._benchmark.extra_info.update(info.model_dump())
            self._benchmark(variant.forward, batch)
        return info


class _Calibration:
    """Examples for a technique to look at, and whether it did."""

    def __init__(self, examples: Tensor, note: str = "") -> None:
        self._examples = examples
        self._note = note
        self._seen = False

    def __call__(self) -> Tensor:
        self._seen = True
        return self._examples

    def notes(self) -> list[str]:
        return [self._note] if self._seen and self._note else []


class _Calls:
    """What ``latency.warm_up`` warms."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call

    def time(self, calls: int) -> float:
        return latency.time_calls(self._call, calls)


@contextmanager
def _torch_set(threads: int, engine: str) -> Iterator[None]:
    """Set threads and quantized engine, and put back what was set; raises ``RequestError``."""
    cores = machine.usable_cores()
    if not 1 <= threads <= cores:
        raise RequestError(f"threads={threads} is not between 1 and the {cores} cores that this process may use.")
    supported = machine.supported_engines()
    if engine not in supported and supported:
        raise RequestError(f"this torch has no quantized engine {engine!r}; choose from {', '.join(supported)}.")
    before = torch.get_num_threads(), torch.backends.quantized.engine
    try:
        torch.set_num_threads(threads)
        if supported:
            torch.backends.quantized.engine = engine
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.quantized.engine = before[1]


def _default_engine() -> str:
    default = machine.DEFAULT_ENGINE
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
    if obstacle := technique.obstacle("cpu", engine, machine.supported_engines()):
        raise UnsupportedError(obstacle)
    return technique


def _batch(model: nn.Module, inputs: Tensor, batch_size: int | None) -> Tensor:
    if not isinstance(inputs, Tensor) or not inputs.dim() or not len(inputs):
        raise RequestError("the inputs are no tensor of examples, batch first; give one, such as torch.randn(64, 784).")
    if elsewhere := {str(tensor.device) for tensor in (*model.parameters(), inputs)} - {"cpu"}:
        raise RequestError(
            f"the model or its inputs are on {', '.join(sorted(elsewhere))} and quantbench(…) times on the CPU; "
            f"move both with .cpu(), or use 'bench run --device cuda'."
        )
    wanted = len(inputs) if batch_size is None else batch_size
    if wanted < 1:
        raise RequestError(f"batch_size={wanted} is no batch; give 1 or more.")
    return inputs[torch.arange(wanted) % len(inputs)]


def _convert(technique: Technique, model: nn.Module, batch: Tensor, calibration: Callable[[], Tensor]) -> Variant:
    """Return the variant of a copy; it has answered the batch once, so that what torch cannot do shows."""
    context = Context(torch.device("cpu"), torch.backends.quantized.engine, _isa(), calibration)
    try:
        variant = technique.convert(copy.deepcopy(model).eval(), context)
        with torch.inference_mode():
            variant.forward(_cast(batch, variant))
    except (NotImplementedError, RuntimeError) as error:
        if "not implemented for" in str(error):
            raise UnsupportedError(f"this torch cannot do it: {str(error).splitlines()[0]}") from error
        raise
    return variant


def _cast(inputs: Tensor, variant: Variant) -> Tensor:
    """Return inputs in the type that the variant takes; tokens stay what they are."""
    return inputs.to(getattr(torch, variant.input_dtype)) if inputs.is_floating_point() else inputs


@functools.cache
def _isa() -> frozenset[str]:
    return frozenset(machine.describe().isa)


def _accuracy(evaluate: Callable[[Predict], Answers], variant: Variant) -> tuple[float, int | None, int | None]:
    """Return the share of right answers, their number and that of all; raises ``RequestError`` for what is none."""
    with torch.inference_mode():
        answers: Any = evaluate(lambda inputs: variant.forward(_cast(inputs, variant)))
    try:
        if isinstance(answers, tuple):
            correct, total = (operator.index(each) for each in answers)
            if 0 <= correct <= total and total:
                return correct / total, correct, total
        elif 0 <= (share := float(answers)) <= 1:
            return share, None, None
    except (TypeError, ValueError):
        pass
    raise RequestError(
        f"evaluate returned {answers!r}, which is no accuracy; return a share from 0 to 1, or better (right, total)."
    )


def _packed_bytes(module: nn.Module) -> int | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return packing.pack(module, Path(folder) / "packed").file_bytes
        except CheckpointError:
            return None
