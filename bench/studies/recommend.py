"""``bench recommend``: the variant of each model to deploy, by the figures of a run."""

from __future__ import annotations

from pathlib import Path

from bench.options.option import several
from bench.options.signature import from_options
from bench.options.studies import RecommendOptions
from bench.report import recommendation
from bench.results.recommendation import Constraints, Recommendation
from bench.results.run import Run
from bench.results.run_file import load


@from_options(RecommendOptions)
def recommend(options: RecommendOptions) -> Recommendation:
    """Return the best variant of each model of a run under constraints, what it gains over fp32, and what it loses.

    A variant keeps to ``max_drop_pp`` only if the data show it; of others it is said how many test examples more
    would tell. Raises ``bench.QuantbenchError`` for what is no run, and for a model or batch size it does not have.
    """
    constraints = Constraints(
        objective=options.objective,
        batch_size=options.batch_size,
        max_drop=None if options.max_drop_pp is None else options.max_drop_pp / 100,
        max_size_bytes=options.max_size_bytes,
        max_latency_s=options.max_latency_s,
    )
    return recommendation.recommend(_run(options), constraints, several(options.models))


def _run(options: RecommendOptions) -> Run:
    if isinstance(options.run, Run):
        return options.run
    path = Path(options.run)
    return load(path / "run.json" if path.is_dir() else path)
