"""The fixture ``quantbench``: one variant of a user's model, timed by pytest-benchmark, its figures in extra_info."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.core.errors import QuantbenchError, RequestError, UnsupportedError, UserModelError
from bench.core.inputs import Inputs
from bench.core.variant_key import BASELINE, EAGER, VariantKey
from bench.measuring import machine
from bench.measuring.latency import blocks
from bench.pytest_plugin.made import CPU, Made, here, make
from bench.results.extra_info import OWN, ExtraInfo
from bench.results.quantized_engine import default_engine
from bench.runtimes.base import Executable
from bench.runtimes.eager import EagerExecutable
from bench.tasks.temporary import temporary_folder
from bench.techniques.base import TECHNIQUES, Technique
from bench.worker.user.evaluate import CallableLikeTheModel, accuracy_in
from bench.worker.user.examples import Examples, calibration_in
from bench.worker.user.given import calibration_batch, inputs_in
from bench.worker.user.usable import require_usable

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
        runtime: str = EAGER,
        batch_size: int | None = None,
        evaluate: Callable[[Predict], Answers] | None = None,
        calibrate: Example | Iterable[Example] | None = None,
        threads: int = 1,
        engine: str | None = None,
        name: str | None = None,
    ) -> ExtraInfo:
        """Time one forward pass of ``model`` after ``technique`` on ``runtime``; return what goes into ``extra_info``.

        ``inputs`` are examples, batch first, a tensor or as many as the model takes; ``batch_size`` of them make the
        batch that is timed, by default all, and repeated where there are fewer. ``evaluate`` is called with the variant
        and returns the share of right answers, or better ``(right, total)``. ``calibrate`` are training inputs for
        techniques that observe ranges, by default ``inputs``: a tensor, or batches. ``engine`` is the quantized engine,
        by default that of ``bench run`` here. ``name`` is what tables call the model, by default its class;
        ``task/model`` puts it under a task.

        The model is not changed, and torch's threads and engine are put back. A technique that cannot treat the model,
        or a runtime that cannot execute it or is not installed, skips the test with the reason; a request that makes no
        sense fails it with a sentence.
        """
        try:
            if self._used:
                raise RequestError(
                    "quantbench(…) was called before in this test, and pytest-benchmark times one function a test; "
                    "use pytest.mark.parametrize."
                )
            with _torch_set(threads, engine or default_engine(here())):
                chosen = _technique(technique, runtime)
                batch = _batch(model, inputs, batch_size)
                examples = Examples({batch.batch_size: batch}, _calibration(calibrate, batch, model))
                with temporary_folder() as folder:
                    made = make(chosen, runtime, model, examples, batch, folder)
                    key = VariantKey(chosen.name, runtime)
                    kind = type(getattr(model, "_orig_mod", model))
                    return self._measure(made, key, batch, evaluate, name or kind.__name__)
        except QuantbenchError as error:
            refusal = error
        if isinstance(refusal, UnsupportedError):  # here, where pytest shows no exception before it
            pytest.skip(f"{VariantKey(technique, runtime)}: {refusal}")
        pytest.fail(str(refusal), pytrace=False)

    def _measure(
        self,
        made: Made,
        key: VariantKey,
        batch: Inputs,
        evaluate: Callable[[Predict], Answers] | None,
        name: str,
    ) -> ExtraInfo:
        technique, executable = TECHNIQUES.get(key.technique), made.executable
        threads, engine = torch.get_num_threads(), torch.backends.quantized.engine
        accuracy, share = None, None
        if evaluate is not None:
            with torch.no_grad():
                accuracy, share = accuracy_in(evaluate(CallableLikeTheModel(_answering(executable), CPU)), "evaluate")
            _set(threads, engine)
        task, _, own_name = name.rpartition("/")
        info = ExtraInfo(
            quantbench=version("quantbench"),
            task=task or OWN,
            model=own_name,
            technique=technique.name,
            runtime=key.runtime,
            scheme=technique.scheme,
            dtype=technique.dtype("cpu"),
            batch_size=batch.batch_size,
            threads=threads,
            device="cpu",
            engine=engine,
            size_bytes=made.size_bytes,
            packed_bytes=made.packed_bytes,
            params=made.params,
            layers=made.layers,
            treated=made.treated,
            accuracy=accuracy.correct / accuracy.total if accuracy else share,
            correct=accuracy.correct if accuracy else None,
            total=accuracy.total if accuracy else None,
            simulated=made.simulated,
            notes=made.notes,
            warm_up_s=[],
            warm=False,
        )
        call = executable.bind(batch.cast(CPU, getattr(torch, executable.input_dtype)))
        with torch.inference_mode():
            if self._benchmark.enabled:
                warmed = blocks.warm_up(_Calls(call))
                info = info.model_copy(update={"warm_up_s": warmed.blocks_s, "warm": warmed.warm})
            self._benchmark.extra_info.update(info.model_dump())
            self._used = True
            self._benchmark(call)
        return info


def _answering(executable: Executable) -> Any:
    """Return what a user's evaluation is given: an artifact, which may be looked at and copied, where there is one."""
    return executable.artifact if isinstance(executable, EagerExecutable) else executable


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


def _technique(name: str, runtime: str) -> Technique:
    """Return the technique; raises ``UnsupportedError`` if it cannot work here, ``RequestError`` if it must train."""
    technique = TECHNIQUES.get(name)
    if technique.trained_as:
        raise RequestError(
            f"{name} takes part in the training, and quantbench(…) gets a trained model; "
            f"train with 'bench train', or choose a technique that comes after it, such as range-linear:w4."
        )
    engine = torch.backends.quantized.engine
    if runtime == EAGER and (
        unsupported_reason := technique.unsupported_reason("cpu", engine, machine.supported_engines())
    ):
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
