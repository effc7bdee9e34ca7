"""What a request comes to: which models and variants are measured, and how; nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from bench.core.errors import RequestError
from bench.measuring.latency.sampling import SPREAD_S, precision_for
from bench.options.option import several
from bench.options.run import RunOptions
from bench.options.shared import MeasurementOptions
from bench.results.bounds import first_fault
from bench.results.run_spec import RunSpec
from bench.running.suites import SUITES, select_models, select_variants, suite_named
from bench.worker.user.model import SUITE, UserModel, titles


def plan(options: RunOptions, user_models: Sequence[UserModel] = ()) -> RunSpec:
    """Return what is to be measured, of ``user_models`` if there are any; raises ``QuantbenchError``."""
    suite = suite_named(options.suite)
    selected = user_models or select_models(suite.name, several(options.tasks), several(options.models))
    return spec_of(
        options,
        suite=SUITE if user_models else suite.name,
        models=[entry.name for entry in selected],
        variants=select_variants(
            several(options.techniques) or suite.techniques, several(options.runtimes) or suite.runtimes
        ),
        isa_limit=options.isa_limit or "",
        **titles(user_models),
    )


def spec_of(options: MeasurementOptions, **chosen: Any) -> RunSpec:
    """Return the specification that has the options under their own names, and what was ``chosen`` by them."""
    suite = SUITES.get(chosen["suite"])
    if options.spread_s is None:
        chosen["spread_s"] = SPREAD_S if suite is None else suite.spread_s
    if options.precision is None:
        chosen["precision"] = precision_for(options.threads)
    values = {name: value for name, value in options.shared(MeasurementOptions).items() if name in RunSpec.model_fields}
    batch_sizes = list(dict.fromkeys(several(options.batch_sizes)))
    try:
        return RunSpec(**(values | {"batch_sizes": batch_sizes} | chosen))
    except ValidationError as error:
        raise RequestError(f"the request is too large for a run file ({first_fault(error)}); ask for less.") from error
