"""``bench.measure``: a model that the calling process holds, after each technique."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import UserModelError
from bench.results.run import Run
from bench.running.settings import DEFAULT_BATCH_SIZES, DEFAULT_PRECISION, DEFAULT_RUNS, DEFAULT_TIMEOUT_S
from bench.worker.user.callables import Part, PickledPart
from bench.worker.user.model import SUITE, UserModel

if TYPE_CHECKING:
    from torch import Tensor, nn

    Example = Tensor | tuple[Tensor, ...]


def measure(
    model: nn.Module,
    example_inputs: Example | Callable[[int], Example] | Callable[[], Example],
    *,
    techniques: str | Sequence[str] = (),
    evaluate: Callable[[Any], float | tuple[int, int]] | None = None,
    calibrate: Callable[[], Iterable[Example]] | Iterable[Example] | None = None,
    name: str | None = None,
    batch_sizes: int | Sequence[int] = DEFAULT_BATCH_SIZES,
    runs: int = DEFAULT_RUNS,
    precision: float = DEFAULT_PRECISION,
    budget_s: float | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    threads: int = 1,
    pin: str = "auto",
    engine: str | None = None,
    device: str = "cpu",
    out: Path | str | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Run:
    """Apply techniques to a trained module, in its present state, and measure; the module itself stays as it is.

    ``example_inputs`` is a tensor or a tuple of tensors, batch first, whose rows are repeated to each batch size, or a
    callable that is given the batch size and returns such. ``evaluate`` is given something that can be called like
    the model, and returns its accuracy: a share, or the pair (correct, total). ``calibrate`` gives batches for the
    static techniques; without it they see the example inputs. ``name`` is what tables call the model, by default its
    class; the rest is as for ``bench.run``. Without ``techniques`` those of the lab are applied.

    Each variant is measured in a process of its own, to which model and callables are copied: classes of notebooks and
    scripts go along, open files and generators cannot. Raises ``bench.QuantbenchError`` for what cannot be
    measured.
    """
    from torch import nn

    from bench.running.runner import run

    if not isinstance(model, nn.Module):
        raise UserModelError(f"what is to be measured is a {type(model).__name__}; give a torch.nn.Module.")
    named = name or type(model).__name__
    with tempfile.TemporaryDirectory(prefix="quantbench-") as folder:  # of this user alone

        def part(value: object, called: str, title: str) -> Part:
            return PickledPart.save(value, Path(folder) / f"{called}.pickle", title, called)

        def optional(value: object, called: str) -> Part | None:
            return None if value is None else part(value, called, getattr(value, "__name__", called))

        own = UserModel(
            task=SUITE,
            name_in_task=named,
            model=part(model, "the model", named),
            inputs=part(example_inputs, "example_inputs", "example_inputs"),
            evaluate=optional(evaluate, "evaluate"),
            calibrate=optional(calibrate, "calibrate"),
        )
        return run(
            models=[own],
            techniques=techniques,
            batch_sizes=batch_sizes,
            runs=runs,
            precision=precision,
            budget_s=budget_s,
            timeout_s=timeout_s,
            threads=threads,
            pin=pin,
            engine=engine,
            device=device,
            out=out,
            seed=seed,
            progress=progress,
        )
