"""The worker's side of the reference workload."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.core.inputs import Inputs
from bench.core.report import Report
from bench.measuring import tf32
from bench.measuring.latency import blocks
from bench.measuring.latency.rounds import Block
from bench.measuring.latency.timer import Timer, timers
from bench.runtimes.eager import EagerExecutable
from bench.techniques.base import Artifact

WIDTH = 512
LAYERS = 3
MAX_ROWS = 64


class ReferenceHost:
    """Holds the computation: float32 Linear layers with ReLUs, of as many examples as the batch beside it, 64 at most.

    At batch 1 it is bound by memory and by torch's dispatch and takes some 0.1 ms, at batch 64 by arithmetic and takes
    some 1 ms, as the models beside it do. **Never change it**: runs of before and after would no longer compare.
    """

    def __init__(self, report: Report) -> None:
        self._timers: dict[int, Timer] = {}

    def build(self, threads: int, device: str) -> None:
        """Make the layers, always of the same weights."""
        torch.set_num_threads(threads)
        tf32.turn_off()
        self._device = torch.device(device)
        generator = torch.Generator().manual_seed(0)
        layers: list[nn.Module] = []
        for _ in range(LAYERS):
            linear = nn.Linear(WIDTH, WIDTH)
            with torch.no_grad():
                linear.weight.copy_(torch.randn(WIDTH, WIDTH, generator=generator) / WIDTH**0.5)
                linear.bias.zero_()
            layers += [linear, nn.ReLU()]
        module = nn.Sequential(*layers).eval().to(self._device)
        self._executable = EagerExecutable(Artifact(module, module))

    def warm_up(self, batch_sizes: Sequence[int], cores: Sequence[int]) -> dict[int, blocks.WarmUp]:
        """Tie the process to ``cores``, warm up at each batch size and size the block."""
        batches = {batch_size: Inputs((self._inputs(batch_size),)) for batch_size in batch_sizes}
        self._timers = timers(self._executable, batches, cores)
        return {batch_size: timer.warm_up() for batch_size, timer in self._timers.items()}

    def time(self, batch_size: int, calls: int) -> Block:
        """Time one block."""
        return self._timers[batch_size].block(calls)

    def _inputs(self, batch_size: int) -> Tensor:
        rows = min(batch_size, MAX_ROWS)
        return torch.rand(rows, WIDTH, generator=torch.Generator().manual_seed(rows)).to(self._device)
