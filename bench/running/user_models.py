"""The rows of the user's own models: each taken on, and measured as any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.core.errors import UnsupportedError, UserModelError, WorkerError
from bench.core.progress import Bars
from bench.measuring import machine
from bench.results import run
from bench.results.run import Data, Settings
from bench.running.measurement import VariantUnderTest
from bench.running.reference import ReferenceWorkload
from bench.running.rows import measure_model, tally
from bench.running.run_folder import RunBook
from bench.techniques.base import Technique
from bench.worker.messages import VariantRequest
from bench.worker.process import Worker
from bench.worker.user.model import USER_HOST, UserFacts, UserModel, UserRequest


def run_user_models(
    models: Sequence[UserModel], techniques: Sequence[Technique], book: RunBook, folder: Path, bars: Bars
) -> None:
    """Measure model after model, those that the run has not yet; raises ``UserModelError`` before the first."""
    settings = book.run.settings
    pending = [model for model in models if not book.has(model.name)]
    book.require_same_data({model.task: ("own", model.source()) for model in models})
    taken_on = [
        _take_on(model, settings, folder / f"{number}.safetensors", bars) for number, model in enumerate(pending)
    ]
    for model, facts in zip(pending, taken_on, strict=True):
        subjects = [
            _subject(technique, UserRequest(model, facts, settings.seed or 0), book, folder / f"{position}.packed")
            for position, technique in enumerate(techniques)
        ]
        beside = ReferenceWorkload(settings)
        rows = measure_model(subjects, settings, machine.usable_cores(), bars, beside)
        book.add(_data(model, facts), [], rows, [run.ReferenceLatency(model=model.name, latency=beside.latency)])
        bars.say(f"{model.name}: {tally(rows)}")


def _take_on(model: UserModel, settings: Settings, path: Path, bars: Bars) -> UserFacts:
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
    return facts


def _subject(technique: Technique, own: UserRequest, book: RunBook, packed: Path) -> VariantUnderTest:
    settings = book.run.settings
    request = VariantRequest(
        task=own.model.task,
        model=own.model.name_in_task,
        technique=technique.name,
        dataset=own.facts.examples,
        checkpoint=own.facts.examples,
        packed=packed,
        device=settings.device,
        engine=settings.engine,
        isa=frozenset(book.run.machine.isa),
        threads=settings.threads,
        largest_batch=max(settings.batch_sizes),
        own=own,
    )
    reason = technique.unsupported_reason(settings.device, settings.engine, book.run.machine.quantized_engines)
    if technique.trained_as:
        reason = (
            f"{technique.name} takes part in the training, and models of your own are measured as they are; "
            f"range-linear is its like for a trained model"
        )
    return VariantUnderTest(technique, request, UnsupportedError(reason) if reason else None)


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
