"""``bench distill``: one model at falling bit widths, taught by the widths before it (Mirzadeh et al. 2020, TAKD).

What a student gains from its teacher has two sources, the weights it starts from and the loss it learns by, so each is
also tried without the other. Students are taught in one step, by the widest model, or along the chain, each by the
one before. A teacher of one's own, a larger network say, can stand before the widest.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from bench.checkpoint import Header, Order, Teaching
from bench.distillation_record import Distillation, Route, Source, Student
from bench.errors import RequestError, TrainingError
from bench.own_checkpoint import adopt
from bench.request import check_epochs, check_seed
from bench.techniques.low_bit import FULL, LowBit
from bench.techniques.technique import TECHNIQUES
from bench.workshop import Made, Workshop, workshop
from tasks.source import DataPolicy

DEFAULT_CHAIN = (32, 16, 8, 4, 2, 1)
ROUTES: tuple[Route, ...] = ("one step", "chain")
SOURCES: tuple[Source, ...] = ("start", "loss", "both")


@dataclass(frozen=True)
class _Way:
    route: Route
    source: Source


def distill(
    model: str,
    *,
    family: str = "dorefa",
    chain: Sequence[int] = DEFAULT_CHAIN,
    activations: Literal["same", "full"] = "same",
    sources: Sequence[Source] = SOURCES,
    weight: float = 0.5,
    temperature: float = 1.0,
    seeds: Sequence[int] = (0, 1, 2),
    teacher: Path | str | None = None,
    epochs: int | None = None,
    device: str = "cpu",
    data: DataPolicy = "auto",
    data_root: Path | str | None = None,
    progress: bool | None = None,
) -> Distillation:
    """Train ``model`` at each width of ``chain`` alone, in one step and along the chain, for each seed.

    ``weight`` and ``temperature`` are λ and τ of ``tasks.training.distillation``. ``teacher`` is a checkpoint of the
    same data that teaches the widest and, in one step, all. Trainings that are in the cache are not made again, so an
    interrupted command goes on. A student that fails says so in its record, as do those that it would have taught.
    Raises ``bench.QuantbenchError`` for a request that makes no sense.
    """
    check_epochs(epochs)
    _require(chain, sources, weight, temperature, seeds)
    techniques = {bits: _technique(family, bits, activations) for bits in chain}
    ways = [_Way("alone", "")] + [_Way(route, source) for route in ROUTES for source in sources]
    with workshop(model, device=device, data=data, data_root=data_root, progress=progress) as shop:
        orders: dict[tuple[int, _Way, int], Order] = {}
        outcomes: dict[str, Header | Exception] = {}  # by the name of the checkpoint
        weights = any(source != "loss" for source in sources)
        own = adopt(Path(teacher), shop.order(techniques[chain[0]]), "teacher", weights) if teacher else None
        first = own.checkpoint if own else ""
        for rung, bits in enumerate(chain):  # a rung's teachers are the rungs before it
            for seed in seeds:
                for way in ways[: None if rung or first else 1]:
                    taught_by = _teacher(orders, chain, rung, way, seed, first)
                    teaching = _teaching(taught_by, way, weight, temperature) if taught_by else None
                    order = orders[bits, way, seed] = shop.order(techniques[bits], seed, epochs, teaching)
                    if isinstance(cause := outcomes.get(taught_by), Exception):
                        outcomes[order.path.name] = _UntaughtError(cause)
            of_width = [order for (width, _, _), order in orders.items() if width == bits]
            wanted = [order for order in of_width if order.path.name not in outcomes]
            for order, header in zip(wanted, shop.train(wanted), strict=True):
                outcomes[order.path.name] = header
        students = list(_students(shop, orders, techniques, outcomes))
        some = next(iter(orders.values()))
        return Distillation(
            quantbench=version("quantbench"),
            created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            machine=shop.machine,
            model=shop.selected.name,
            data=some.data_kind,
            recipe=some.recipe,
            family=family,
            chain=list(chain),
            weight=weight,
            temperature=temperature,
            seeds=list(seeds),
            teacher=own.model if own else "",
            students=students,
        )


def _require(
    chain: Sequence[int], sources: Sequence[Source], weight: float, temperature: float, seeds: Sequence[int]
) -> None:
    if len(chain) < 2 or len(set(chain)) < len(chain):
        raise RequestError(
            f"--chain {','.join(map(str, chain))} is no chain; give two different widths or more, as in 32,8,1."
        )
    if list(chain) != sorted(chain, reverse=True):
        raise RequestError(
            f"--chain {','.join(map(str, chain))} does not descend; give widths from wide to narrow, as in 32,8,1."
        )
    if not 0 < weight <= 1:
        raise RequestError(f"--weight {weight:g} is not a share of the loss above 0 and up to 1; give 0.5, say.")
    if not 0 < temperature <= 100:
        raise RequestError(f"--temperature {temperature:g} is not a temperature; give 1 to 4, say.")
    if not seeds or len(set(seeds)) < len(seeds):
        raise RequestError("--seed must be given once or more, each time another.")
    for seed in seeds:
        check_seed(seed)
    if not sources or any(source not in SOURCES for source in sources):
        raise RequestError(f"what students take is one or more of {', '.join(SOURCES)}.")


def _technique(family: str, bits: int, activations: str) -> LowBit:
    name = f"{family}:w{bits}a{bits if activations == 'same' else FULL}"
    technique = TECHNIQUES.get(name)
    if not isinstance(technique, LowBit) or technique.scheme != "QAT":
        raise RequestError(f"{family} is not trained at a width; choose dorefa, pact or wrpn.")
    return technique


class _UntaughtError(TrainingError):
    """A training that had to be left out, because its teacher's failed."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause) if isinstance(cause, _UntaughtError) else f"its teacher failed: {cause}")


def _teacher(
    orders: dict[tuple[int, _Way, int], Order], chain: Sequence[int], rung: int, way: _Way, seed: int, first: str
) -> str:
    """Return the name of a student's teacher; ``first`` is that of the user's own."""
    if way.route == "alone":
        return ""
    if first and (rung == 0 or way.route == "one step"):
        return first
    before = chain[0] if way.route == "one step" else chain[rung - 1]
    order = orders.get((before, way, seed)) or orders[before, _Way("alone", ""), seed]
    return order.path.name


def _teaching(teacher: str, way: _Way, weight: float, temperature: float) -> Teaching:
    learns = way.source in ("loss", "both")
    return Teaching(
        teacher=teacher,
        weight=weight if learns else 0.0,
        temperature=temperature if learns else 1.0,
        initialise=way.source in ("start", "both"),
    )


def _students(
    shop: Workshop,
    orders: dict[tuple[int, _Way, int], Order],
    techniques: dict[int, LowBit],
    outcomes: dict[str, Header | Exception],
) -> Iterator[Student]:
    headers = [outcomes[order.path.name] for order in orders.values()]
    made = shop.make_trained([(techniques[bits], order) for (bits, _, _), order in orders.items()], headers)
    for (bits, way, seed), header, variant in zip(orders, headers, made, strict=True):
        right = variant if isinstance(variant, Made) else None
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
