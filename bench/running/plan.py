"""What a request comes to: which models and variants are measured, and how; nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.variant_key import VariantKey
from bench.results.run_spec import RunSpec
from bench.running.settings import check_counts, check_epochs, check_limits, check_seed
from bench.running.suites import select_models, select_techniques
from bench.tasks.source import DataPolicy
from bench.worker.user.model import SUITE, UserModel, titles


def plan(
    suite: str,
    tasks: Sequence[str],
    models: Sequence[str],
    techniques: Sequence[str],
    user_models: Sequence[UserModel],
    *,
    batch_sizes: Sequence[int],
    runs: int,
    precision: float,
    budget_s: float | None,
    timeout_s: float,
    threads: int,
    pin: str,
    engine: str | None,
    device: str,
    seed: int,
    epochs: int | None,
    data: DataPolicy,
) -> RunSpec:
    """Return what is to be measured; raises ``QuantbenchError`` for a request that makes no sense."""
    check_counts(batch_sizes, runs)
    check_limits(precision, budget_s, timeout_s)
    check_epochs(epochs)
    check_seed(seed)
    selected = user_models or select_models(suite, tasks, models)
    return RunSpec(
        suite=SUITE if user_models else suite,
        models=[entry.name for entry in selected],
        variants=[VariantKey(technique.name) for technique in select_techniques(techniques)],
        batch_sizes=list(dict.fromkeys(batch_sizes)),
        runs=runs,
        precision=precision,
        budget_s=budget_s,
        timeout_s=timeout_s,
        threads=threads,
        pin=pin,
        device=device,
        engine=engine,
        seed=seed,
        epochs=epochs,
        data=data,
        **titles(user_models),
    )
