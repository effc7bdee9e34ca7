"""``bench.run``: a request, planned and carried out on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.options.option import several
from bench.options.run import SUPPLIED_ONLY, RunOptions
from bench.options.signature import from_options
from bench.results.run import Run
from bench.running.execute import Place, execute
from bench.running.plan import plan
from bench.storage.checkpoint_store import CheckpointStore
from bench.worker.user.model import UserModel, user_models


@from_options(RunOptions)
def run(options: RunOptions) -> Run:
    """Train or reload the models, apply the techniques, measure, and return all rows.

    With ``out`` a folder, ``run.json`` there grows by each model's rows and ``report.md`` is written at the
    end; an unfinished run of the same settings continues where it stopped. Rounds are made until every speed-up is
    known to ±``precision`` (a share) or a model's latencies have taken ``budget_s`` seconds. Models of your own, such
    as ``net.py:build``, are measured as they are: ``inputs``, ``evaluate`` and ``calibrate`` name callables too
    (docs/own-models.md). Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    return run_here(options, user_models(several(options.models), options.parts, options.given(SUPPLIED_ONLY)))


def run_here(options: RunOptions, of_user: Sequence[UserModel]) -> Run:
    """Carry a request out on this machine, for models of the user's if there are any."""
    out = None if options.out is None else Path(options.out)
    place = Place(
        out=out, data_root=options.root, user_models=of_user, retrain=options.retrain, progress=options.progress
    )
    return execute(plan(options, of_user), CheckpointStore.of_user(), place)
