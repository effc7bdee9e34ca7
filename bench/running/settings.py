"""The settings of a run, as its file records them, made from its options."""

from __future__ import annotations

from collections.abc import Sequence

from bench.measuring import machine
from bench.measuring.latency.affinity import choose_cores
from bench.options.option import several
from bench.options.shared import DEFAULT_ENGINE, MeasurementOptions
from bench.results.run import Settings


def settings_of(
    options: MeasurementOptions, *, suite: str, models: Sequence[str], techniques: Sequence[str]
) -> Settings:
    """Return the settings of a run; raises ``RequestError`` for cores that this machine or this process has not.

    Whether the machine has the device and the engine only a process that has imported torch can tell.
    """
    machine.require_threads(options.threads)
    return Settings(
        suite=suite,
        models=list(models),
        techniques=list(techniques),
        batch_sizes=list(dict.fromkeys(several(options.batch_sizes))),
        runs=options.runs,
        precision=options.precision,
        budget_s=options.budget_s,
        timeout_s=options.timeout_s,
        threads=options.threads,
        pinned_cores=choose_cores(options.pin, options.threads),
        device=options.device,
        engine=options.engine or DEFAULT_ENGINE,
        seed=options.seed,
        epochs=options.epochs,
        data=options.data,
    )
