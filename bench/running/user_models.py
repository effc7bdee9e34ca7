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
from bench.running.task_models import unsupported_reasons
from bench.running.variant_under_test import VariantUnderTest
from bench.techniques.base import TECHNIQUES
from bench.worker.messages import VariantRequest
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
    built = [_build(model, settings, folder / f"{number}.safetensors", bars) for number, model in enumerate(models)]
    reasons = unsupported_reasons(variants, settings, here) | _trained(variants)
    for number, workload in enumerate(built):
        under_test = [
            VariantUnderTest(
                TECHNIQUES.get(key.technique),
                VariantRequest(
                    key=key,
                    workload=workload,
                    packed=folder / f"{number}-{position}.packed",
                    device=settings.device,
                    engine=settings.engine,
                    isa=frozenset(here.isa),
                    threads=settings.threads,
                    largest_batch=max(settings.batch_sizes),
                    batch_sizes=tuple(settings.batch_sizes),
                ),
                reasons.get(key),
            )
            for position, key in enumerate(variants)
        ]
        yield PreparedModel(workload.definition.name, _data(workload.definition, workload.facts), [], under_test)


def _trained(variants: Sequence[VariantKey]) -> dict[VariantKey, UnsupportedError]:
    """Refuse techniques that take part in a training."""
    return {
        key: UnsupportedError(
            f"{key} takes part in the training, and models of your own are measured as they are; "
            f"for a trained model choose range-linear"
        )
        for key in variants
        if TECHNIQUES.get(key.technique).trained_as
    }


def _build(model: UserModel, settings: Settings, path: Path, bars: Bars) -> BuiltModel:
    show = bars.bar(f"build {model.name}")
    show(0, 1)
    worker = Worker(USER_HOST, settings.timeout_s)
    try:
        facts: UserFacts = worker.call("take_on", model, path, settings.batch_sizes, settings.seed, settings.threads)
    except WorkerError as error:
        raise UserModelError(
            f"{model.model.words} cannot be built and tried on its inputs ({error}); fix the model."
        ) from error
    finally:
        worker.close()
        show(1, 1)
    return BuiltModel(model, facts, settings.seed or 0)


def _data(model: UserModel, facts: UserFacts) -> Data:
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
