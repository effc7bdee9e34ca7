"""``bench distill``: one model at falling bit widths, taught by the widths before it (Mirzadeh et al. 2020, TAKD).

What a student gains from its teacher has two sources, the weights it starts from and the loss it learns by, so each is
also tried without the other. Students are taught in one step, by the widest model, or along the chain, each by the
one before. A user's teacher, such as a larger network, can come before the widest.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.core.errors import RequestError
from bench.fleet.trainings import trainer
from bench.options.option import several
from bench.options.signature import from_options
from bench.options.studies import DistillOptions, TaughtBy
from bench.results.distillation import Distillation, Route, Source, Student
from bench.running.evaluated import EvaluatedVariant
from bench.running.model_session import ModelSession, model_session
from bench.storage.checkpoint import DistillationSpec, Header, TrainingSpec
from bench.storage.given_checkpoint import adopt
from bench.techniques.base import TECHNIQUES
from bench.techniques.low_bit import LowBit
from bench.techniques.lowbit.codes import FULL

ROUTES: tuple[Route, ...] = ("one step", "chain")


@dataclass(frozen=True)
class _Way:
    route: Route
    source: Source


@from_options(DistillOptions)
def distill(options: DistillOptions) -> Distillation:
    """Train ``model`` at each width of ``chain`` alone, in one step and along the chain, for each seed.

    ``weight`` and ``temperature`` are λ and τ of ``bench.tasks.training.distillation``. ``teacher`` is a checkpoint of
    the same data that teaches the widest and, in one step, all. Trainings that are in the cache are not made again, so
    an interrupted command continues. The records of a failed student and of its own students hold the reason.
    Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    chain = options.chain
    sources: list[TaughtBy] = several(options.sources)
    techniques = {bits: _technique(options.family, bits, options.activations) for bits in chain}
    ways = [_Way("alone", "")] + [_Way(route, source) for route in ROUTES for source in sources]
    with model_session(options) as session:
        trainings: dict[tuple[int, _Way, int], TrainingSpec] = {}
        widest = session.training(techniques[chain[0]])
        given = None
        if options.teacher:
            weights = any(source != "loss" for source in sources)
            given = adopt(Path(options.teacher), "teacher", widest, session.store, weights=weights)
        first = given.checkpoint if given else ""
        for rung, bits in enumerate(chain):  # a rung's teachers are the rungs before it
            for seed in several(options.seeds):
                for way in ways[: None if rung or first else 1]:
                    taught_by = _teacher(trainings, chain, rung, way, seed, first)
                    spec = _distillation_spec(taught_by, way, options) if taught_by else None
                    trainings[bits, way, seed] = session.training(techniques[bits], seed, spec)
        with trainer(session, options.fleet) as train:
            outcomes = train(list(trainings.values()), False)
        students = list(_students(session, trainings, techniques, outcomes))
        some = next(iter(trainings.values()))
        headers = [outcome for outcome in outcomes.values() if isinstance(outcome, Header)]
        return Distillation(
            quantbench=version("quantbench"),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            machine=session.machine,
            model=session.selected.name,
            data=some.data_kind,
            recipe=some.recipe,
            family=options.family,
            chain=list(chain),
            weight=options.weight,
            temperature=options.temperature,
            seeds=several(options.seeds),
            teacher=given.model if given else "",
            processors=sorted({header.processor for header in headers if header.processor}),
            students=students,
        )


def _technique(family: str, bits: int, activations: str) -> LowBit:
    activation_bits = {"same": bits, "full": FULL}.get(activations, activations)
    technique = TECHNIQUES.get(f"{family}:w{bits}a{activation_bits}")
    if not isinstance(technique, LowBit) or technique.scheme != "QAT":
        raise RequestError(f"{family} cannot be trained at a width; choose dorefa, pact or wrpn.")
    return technique


def _teacher(
    trainings: dict[tuple[int, _Way, int], TrainingSpec],
    chain: Sequence[int],
    rung: int,
    way: _Way,
    seed: int,
    first: str,
) -> str:
    """Return the name of a student's teacher; ``first`` is that of the user's teacher."""
    if way.route == "alone":
        return ""
    if first and (rung == 0 or way.route == "one step"):
        return first
    before = chain[0] if way.route == "one step" else chain[rung - 1]
    training = trainings.get((before, way, seed)) or trainings[before, _Way("alone", ""), seed]
    return training.file_name


def _distillation_spec(teacher: str, way: _Way, options: DistillOptions) -> DistillationSpec:
    learns = way.source in ("loss", "both")
    return DistillationSpec(
        teacher=teacher,
        weight=options.weight if learns else 0.0,
        temperature=options.temperature if learns else 1.0,
        initialise=way.source in ("start", "both"),
    )


def _students(
    session: ModelSession,
    trainings: dict[tuple[int, _Way, int], TrainingSpec],
    techniques: dict[int, LowBit],
    outcomes: dict[TrainingSpec, Header | Exception],
) -> Iterator[Student]:
    variants = [(techniques[bits], training) for (bits, _, _), training in trainings.items()]
    evaluated = session.evaluate(variants, outcomes)
    for ((bits, way, seed), training), variant in zip(trainings.items(), evaluated, strict=True):
        header = outcomes[training]
        right = variant if isinstance(variant, EvaluatedVariant) else None
        yield Student(
            bits=bits,
            route=way.route,
            source=way.source,
            seed=seed,
            technique=techniques[bits].name,
            accuracy=right.evaluation.accuracy if right else None,
            packed_bytes=right.facts.packed_bytes if right else None,
            seconds=header.seconds if isinstance(header, Header) else None,
            reason=str(variant) if isinstance(variant, Exception) else "",
        )
