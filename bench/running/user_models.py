"""Users' models, made ready to be measured: built once, tried on their inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.core.errors import UnsupportedError, UserModelError, WorkerError
from bench.core.progress import Bars
from bench.core.variant_key import VariantKey
from bench.results.machine import Machine
from bench.results.provenance import Data
from bench.results.settings import Settings
from bench.running.prepared import PreparedModel
from bench.running.task_models import request_of, unsupported_reasons
from bench.running.variant_under_test import VariantUnderTest
from bench.techniques.base import TECHNIQUES
from bench.worker.process import Worker
from bench.worker.user.model import USER_HOST, BuiltModel, UserFacts, UserModel


def prepare_user_models(
    models: Sequence[UserModel],
    variants: Sequence[VariantKey],
    settings: Settings,
    here: Machine,
    folder: Path,
    bars: Bars,
) -> Iterator[PreparedModel]:
    """Build and try all models before the first is yielded; raises ``UserModelError``."""
    built = [
        build_user_model(
            model,
            folder / f"{number}.safetensors",
            bars,
            batch_sizes=settings.batch_sizes,
            seed=settings.seed or 0,
            threads=settings.threads,
            timeout_s=settings.timeout_s,
        )
        for number, model in enumerate(models)
    ]
    unsupported = unsupported_reasons(variants, settings, here)
    for number, workload in enumerate(built):
        reasons = unsupported | ({} if workload.definition.train else _trained(variants))
        under_test = [
            VariantUnderTest(
                TECHNIQUES.get(key.technique),
                request_of(key, workload, folder / f"{number}-{position}.packed", settings, here),
                reasons.get(key),
            )
            for position, key in enumerate(variants)
        ]
        yield PreparedModel(workload.definition.name, data_of_user(workload.definition, workload.facts), [], under_test)


def _trained(variants: Sequence[VariantKey]) -> dict[VariantKey, UnsupportedError]:
    """Refuse techniques that take part in a training."""
    return {
        key: UnsupportedError(
            f"{key} takes part in the training, and models of your own are measured as they are; "
            f"give --train file.py:callable, which trains a network, or choose range-linear"
        )
        for key in variants
        if TECHNIQUES.get(key.technique).trained_as
    }


def build_user_model(
    model: UserModel,
    path: Path,
    bars: Bars,
    *,
    batch_sizes: Sequence[int],
    seed: int,
    threads: int = 1,
    timeout_s: float = 600.0,
) -> BuiltModel:
    """Build it, make its inputs, which go to ``path``, and try it; raises ``UserModelError``."""
    show = bars.bar(f"build {model.name}")
    show(0, 1)
    try:
        with Worker(USER_HOST, timeout_s) as worker:
            facts: UserFacts = worker.call("take_on", model, path, batch_sizes, seed, threads)
    except WorkerError as error:
        raise UserModelError(
            f"{model.model.words} cannot be built and tried on its inputs ({error}); "
            f"{'end other programs, or measure where there is more memory' if 'memory' in str(error) else 'fix it'}."
        ) from error
    finally:
        show(1, 1)
    return BuiltModel(model, facts, seed)


def data_of_user(model: UserModel, facts: UserFacts) -> Data:
    """Return what a run says of a user's inputs."""
    title, _, _ = model.model.title.partition(":")
    return Data(
        task=model.task,
        kind="own",
        title=title,
        origin=f"{facts.inputs}, as given by {model.inputs.words}",
        note="",
        citation="",
        fingerprint=model.fingerprint(),
        source=model.source(),
        train_examples=None,
        test_examples=None,
    )
