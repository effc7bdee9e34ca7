"""``bench distill``: one model at falling bit widths, taught by the widths before it (Mirzadeh et al. 2020, TAKD).

What a student gains from its teacher has two sources, the weights it starts from and the loss it learns by, so each is
also tried without the other. Students are taught in one step, by the widest model, or along the chain, each by the
one before. A teacher of one's own, a larger network say, can stand before the widest.
"""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.core.errors import RequestError, TrainingError
from bench.options.signature import from_options
from bench.options.studies import DistillOptions
from bench.results.distillation import Distillation, Route, Source, Student
from bench.running.model_session import EvaluatedVariant, ModelSession, model_session
from bench.storage import checkpoint
from bench.storage.checkpoint import DistillationSpec, Header, TrainingSpec
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
    an interrupted command goes on. A student that fails says so in its record, as do those that it would have taught.
    Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    chain, sources = options.chain, options.sources
    techniques = {bits: _technique(options.family, bits, options.activations) for bits in chain}
    ways = [_Way("alone", "")] + [_Way(route, source) for route in ROUTES for source in sources]
    with model_session(options) as session:
        orders: dict[tuple[int, _Way, int], TrainingSpec] = {}
        outcomes: dict[str, Header | Exception] = {}  # by the name of the checkpoint
        own = (
            _own_teacher(Path(options.teacher), session.order(techniques[chain[0]]), sources)
            if options.teacher
            else None
        )
        first = own.checkpoint if own else ""
        for rung, bits in enumerate(chain):  # a rung's teachers are the rungs before it
            for seed in options.seeds:
                for way in ways[: None if rung or first else 1]:
                    taught_by = _teacher(orders, chain, rung, way, seed, first)
                    distillation_spec = _teaching(taught_by, way, options) if taught_by else None
                    order = orders[bits, way, seed] = session.order(techniques[bits], seed, distillation_spec)
                    if isinstance(cause := outcomes.get(taught_by), Exception):
                        outcomes[order.path.name] = _UntaughtError(cause)
            of_width = [order for (width, _, _), order in orders.items() if width == bits]
            wanted = [order for order in of_width if order.path.name not in outcomes]
            for order, header in zip(wanted, session.train(wanted), strict=True):
                outcomes[order.path.name] = header
        students = list(_students(session, orders, techniques, outcomes))
        some = next(iter(orders.values()))
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
            seeds=list(options.seeds),
            teacher=own.model if own else "",
            students=students,
        )


def _technique(family: str, bits: int, activations: str) -> LowBit:
    name = f"{family}:w{bits}a{bits if activations == 'same' else FULL}"
    technique = TECHNIQUES.get(name)
    if not isinstance(technique, LowBit) or technique.scheme != "QAT":
        raise RequestError(f"{family} is not trained at a width; choose dorefa, pact or wrpn.")
    return technique


@dataclass(frozen=True)
class _OwnTeacher:
    checkpoint: str
    """The name of its copy in the cache."""
    model: str
    """As ``task/model``."""


class _UntaughtError(TrainingError):
    """A training that had to be left out, because its teacher's failed."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause) if isinstance(cause, _UntaughtError) else f"its teacher failed: {cause}")


def _own_teacher(path: Path, order: TrainingSpec, sources: Sequence[Source]) -> _OwnTeacher:
    """Copy the checkpoint of a teacher of the user's into the cache, named by its content."""
    header = checkpoint.read_header(path, way_out="name another with --teacher")
    if (header.task, header.data_kind, header.data_fingerprint) != (
        order.task,
        order.data_kind,
        order.data_fingerprint,
    ):
        raise RequestError(
            f"the teacher {path} was trained on {header.data_kind} data of {header.task} ({header.data_fingerprint}), "
            f"not on {order.data_kind} data of {order.task} ({order.data_fingerprint}); give one of the same data."
        )
    same = (header.network, header.hyperparameters) == (order.network, order.hyperparameters)
    if header.hyperparameters.get("inputs") != order.hyperparameters.get("inputs"):
        raise RequestError(f"the teacher {path} takes other inputs than {order.model}; give one that takes the same.")
    if not same and any(source != "loss" for source in sources):
        raise RequestError(
            f"the teacher {path} is a {header.model}, whose weights do not fit {order.model}; learn from its answers "
            f"alone, with --source loss."
        )
    content = path.read_bytes()
    name = f"teacher-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
    copy = checkpoint.checkpoint_folder() / name
    if not copy.exists():
        temporary = copy.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(content)
        temporary.replace(copy)
    return _OwnTeacher(name, f"{header.task}/{header.model}")


def _teacher(
    orders: dict[tuple[int, _Way, int], TrainingSpec], chain: Sequence[int], rung: int, way: _Way, seed: int, first: str
) -> str:
    """Return the name of a student's teacher; ``first`` is that of the user's own."""
    if way.route == "alone":
        return ""
    if first and (rung == 0 or way.route == "one step"):
        return first
    before = chain[0] if way.route == "one step" else chain[rung - 1]
    order = orders.get((before, way, seed)) or orders[before, _Way("alone", ""), seed]
    return order.path.name


def _teaching(teacher: str, way: _Way, options: DistillOptions) -> DistillationSpec:
    learns = way.source in ("loss", "both")
    return DistillationSpec(
        teacher=teacher,
        weight=options.weight if learns else 0.0,
        temperature=options.temperature if learns else 1.0,
        initialise=way.source in ("start", "both"),
    )


def _students(
    session: ModelSession,
    orders: dict[tuple[int, _Way, int], TrainingSpec],
    techniques: dict[int, LowBit],
    outcomes: dict[str, Header | Exception],
) -> Iterator[Student]:
    headers = [outcomes[order.path.name] for order in orders.values()]
    made = session.make_trained([(techniques[bits], order) for (bits, _, _), order in orders.items()], headers)
    for (bits, way, seed), header, variant in zip(orders, headers, made, strict=True):
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
