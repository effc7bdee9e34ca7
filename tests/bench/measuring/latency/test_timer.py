"""A variant's side of a round: reallocated, then timed with an eye on what disturbs it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.measuring.latency import blocks
from bench.measuring.latency.disturbance import Reading
from bench.measuring.latency.rounds import Block
from bench.measuring.latency.timer import Timer
from bench.models import MLP
from bench.running.suites import LAB_TECHNIQUES
from bench.runtimes.eager import EagerExecutable
from bench.techniques.base import TECHNIQUES, Artifact, Context

ENGINES = torch.backends.quantized.supported_engines


def artifact(technique: str) -> tuple[Artifact, Tensor]:
    torch.manual_seed(0)
    inputs = torch.rand(8, 40)
    context = Context(torch.device("cpu"), "fbgemm", frozenset(), calibration=lambda: inputs)
    made = TECHNIQUES.get(technique).convert(MLP(40, [30, 20], 5).eval(), context)
    return made, inputs.to(getattr(torch, made.input_dtype))


@pytest.mark.skipif("fbgemm" not in ENGINES, reason="this torch has no fbgemm")
@pytest.mark.parametrize("technique", LAB_TECHNIQUES)
def test_a_reallocated_variant_answers_alike_and_nothing_of_the_old_one_is_left(technique: str) -> None:
    """What still held the old module, a closure say, would be timed where it lay before."""
    made, inputs = artifact(technique)
    with torch.inference_mode():
        logits = made.forward(inputs)
    old_module, old_inputs = weakref.ref(made.module), weakref.ref(inputs)
    executable = EagerExecutable(made)
    timer = Timer(executable, (inputs,))
    del made, inputs
    timer.reallocate()
    gc.collect()
    assert old_module() is None
    assert old_inputs() is None
    with torch.inference_mode():
        assert torch.equal(executable.outputs(timer._inputs), logits)


def test_a_reallocated_variant_lies_elsewhere() -> None:
    made, inputs = artifact("fp32")
    before = {tensor.data_ptr() for tensor in (inputs, *made.module.parameters())}
    executable = EagerExecutable(made)
    timer = Timer(executable, (inputs,))
    timer.reallocate()
    after = {tensor.data_ptr() for tensor in (*timer._inputs, *executable.artifact.module.parameters())}
    assert not before & after


class FakeWatch:
    """Reads what it is told to."""

    def __init__(self, *switches: int) -> None:
        self._switches = iter(switches)

    def read(self) -> Reading:
        return Reading(next(self._switches), steal_ticks=0, frequencies_khz=())


@pytest.mark.parametrize(("switches", "causes"), [((4, 4), ()), ((4, 5), ("switch",))])
def test_counters_are_read_around_the_calls_of_a_block(
    monkeypatch: pytest.MonkeyPatch, switches: tuple[int, int], causes: tuple[str, ...]
) -> None:
    made_calls: list[int] = []

    def time_calls(call: Callable[[], object], calls: int, lead_in: float) -> float:
        made_calls.append(calls)
        return 0.25

    monkeypatch.setattr(blocks, "time_calls", time_calls)
    made, inputs = artifact("fp32")
    timer = Timer(EagerExecutable(made), (inputs,))
    monkeypatch.setattr(timer, "_watch", FakeWatch(*switches))
    assert timer.block(7) == Block(0.25, causes)  # type: ignore[arg-type]
    assert made_calls == [7]


@pytest.mark.parametrize(("threads", "lead_in"), [(1, 1), (2, 3)])
def test_a_variant_is_timed_in_inference_mode(monkeypatch: pytest.MonkeyPatch, threads: int, lead_in: int) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    modes: list[bool] = []

    def forward(inputs: Tensor) -> Tensor:
        modes.append(torch.is_inference_mode_enabled())
        return inputs

    Timer(EagerExecutable(Artifact(torch.nn.Identity(), forward)), (torch.zeros(1),)).time(3)
    assert modes == [True] * (lead_in + 3), "a lead-in, and three calls"
