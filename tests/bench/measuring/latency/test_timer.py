"""A variant's side of a block: its calls, in inference mode, with an eye on what disturbs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pytest
import torch
from torch import Tensor

from bench.core.inputs import Inputs
from bench.measuring.latency import affinity, blocks, disturbance
from bench.measuring.latency.disturbance import Reading, Watch
from bench.measuring.latency.rounds import Block
from bench.measuring.latency.timer import Timer, timers
from bench.runtimes.eager import EagerExecutable
from bench.techniques.base import Artifact


class FakeWatch:
    """Reads as many switches as are named."""

    def __init__(self, *switches: int) -> None:
        self._switches = iter(switches)

    def read(self) -> Reading:
        return Reading(next(self._switches), steal_ticks=0, frequencies_khz=())


def executable(forward: Callable[[Tensor], Tensor] = torch.relu) -> EagerExecutable:
    return EagerExecutable(Artifact(torch.nn.Identity(), forward))


def timer(*switches: int, forward: Callable[[Tensor], Tensor] = torch.relu) -> Timer:
    return Timer(executable(forward), Inputs((torch.zeros(1),)), cast("Watch", FakeWatch(*switches)))


@pytest.mark.parametrize(("switches", "causes"), [((4, 4), ()), ((4, 5), ("switch",))])
def test_counters_are_read_around_the_calls_of_a_block(
    monkeypatch: pytest.MonkeyPatch, switches: tuple[int, int], causes: tuple[str, ...]
) -> None:
    made_calls: list[int] = []

    def time_calls(call: Callable[[], object], calls: int, lead_in: float) -> float:
        made_calls.append(calls)
        return 0.25

    monkeypatch.setattr(blocks, "time_calls", time_calls)
    assert timer(*switches).block(7) == Block(0.25, causes)  # type: ignore[arg-type]
    assert made_calls == [7]


@pytest.mark.parametrize(("threads", "lead_in"), [(1, 1), (2, 3)])
def test_a_variant_is_timed_in_inference_mode(monkeypatch: pytest.MonkeyPatch, threads: int, lead_in: int) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    modes: list[bool] = []

    def forward(inputs: Tensor) -> Tensor:
        modes.append(torch.is_inference_mode_enabled())
        return inputs

    timer(forward=forward).time(6)
    assert modes == [True] * (lead_in + 6), "a lead-in, and six calls"


def test_a_process_is_pinned_before_anything_watches_or_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch reads the counters of the cores that the process may use when it is made."""
    order: list[str] = []

    def pin(cores: Sequence[int]) -> None:
        order.append(f"pin {cores}")

    class OrderedWatch(FakeWatch):
        def __init__(self) -> None:
            super().__init__(0, 0)
            order.append("watch")

    def forward(inputs: Tensor) -> Tensor:
        order.append(f"call {len(inputs)}")
        return inputs

    monkeypatch.setattr(affinity, "pin", pin)
    monkeypatch.setattr(disturbance, "Watch", OrderedWatch)
    made = timers(executable(forward), {1: Inputs((torch.zeros(1),)), 64: Inputs((torch.zeros(64),))}, [3])
    assert made.keys() == {1, 64}
    assert order == ["pin [3]", "watch", "watch"]
    made[64].time(1)
    assert order[3:] == ["call 64"]
