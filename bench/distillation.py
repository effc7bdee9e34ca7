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
from typing import Literal

from bench import checkpoint
from bench.checkpoint import Order, Teaching
from bench.errors import RequestError
from bench.report.tables import table
from bench.request import check_epochs
from bench.result import Accuracy, Machine, Record
from bench.summary import mean_std
from bench.techniques.low_bit import FULL, LowBit
from bench.techniques.technique import TECHNIQUES
from bench.units import MISSING, kilobytes
from bench.workshop import Made, Workshop, workshop
from tasks.dataset import DataKind
from tasks.source import DataPolicy

DEFAULT_CHAIN = (32, 16, 8, 4, 2, 1)
Route = Literal["alone", "one step", "chain"]
Source = Literal["", "start", "loss", "both"]
"""What a student takes from its teacher: the weights it starts from, a part of its loss, or both."""
ROUTES: tuple[Route, ...] = ("one step", "chain")
SOURCES: tuple[Source, ...] = ("start", "loss", "both")


class Student(Record):
    """One model at one width, trained one way."""

    bits: int
    route: Route
    source: Source
    seed: int
    technique: str
    accuracy: Accuracy
    """On the test set, after the last epoch."""
    packed_bytes: int | None
    seconds: float


class Distillation(Record):
    """All students of one model."""

    quantbench: str
    created: str
    machine: Machine
    model: str
    data: DataKind
    recipe: dict[str, str | int | float | bool]
    family: str
    chain: list[int]
    weight: float
    """λ of the loss."""
    temperature: float
    seeds: list[int]
    teacher: str = ""
    """The model before the widest of the chain, as ``task/model``; empty for none."""
    students: list[Student]


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
    interrupted command goes on. Raises ``bench.QuantbenchError``.
    """
    check_epochs(epochs)
    _require(chain, sources, weight, temperature, seeds)
    techniques = {bits: _technique(family, bits, activations) for bits in chain}
    ways = [_Way("alone", "")] + [_Way(route, source) for route in ROUTES for source in sources]
    with workshop(model, device=device, data=data, data_root=data_root, progress=progress) as shop:
        orders: dict[tuple[int, _Way, int], Order] = {}
        seconds: dict[Path, float] = {}
        first = _own_teacher(Path(teacher), shop.order(techniques[chain[0]]), sources) if teacher else ""
        for rung, bits in enumerate(chain):  # a rung's teachers are the rungs before it
            for seed in seeds:
                for way in ways[: None if rung or first else 1]:
                    taught_by = _teacher(orders, chain, rung, way, seed, first)
                    teaching = _teaching(taught_by, way, weight, temperature) if taught_by else None
                    orders[bits, way, seed] = shop.order(techniques[bits], seed, epochs, teaching)
            wanted = [order for (width, _, _), order in orders.items() if width == bits]
            for order, header in zip(wanted, shop.train(wanted), strict=True):
                if isinstance(header, Exception):
                    raise header
                seconds[order.path] = header.seconds
        students = list(_students(shop, orders, techniques, seconds))
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
            teacher=_name(checkpoint.read_header(Path(teacher))) if teacher else "",
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
    if not sources or any(source not in SOURCES for source in sources):
        raise RequestError(f"what students take is one or more of {', '.join(SOURCES)}.")


def _technique(family: str, bits: int, activations: str) -> LowBit:
    name = f"{family}:w{bits}a{bits if activations == 'same' else FULL}"
    technique = TECHNIQUES.get(name)
    if not isinstance(technique, LowBit) or technique.scheme != "QAT":
        raise RequestError(f"{family} is not trained at a width; choose dorefa, pact or wrpn.")
    return technique


def _own_teacher(path: Path, order: Order, sources: Sequence[Source]) -> str:
    """Copy the checkpoint of a teacher of the user's into the cache, named by its content; return that name."""
    header = checkpoint.read_header(path)
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
    return name


def _name(header: checkpoint.Header) -> str:
    return f"{header.task}/{header.model}"


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
    seconds: dict[Path, float],
) -> Iterator[Student]:
    made = shop.make([(techniques[bits], order) for (bits, _, _), order in orders.items()])
    for ((bits, way, seed), order), variant in zip(orders.items(), made, strict=True):
        if not isinstance(variant, Made):
            raise variant
        yield Student(
            bits=bits,
            route=way.route,
            source=way.source,
            seed=seed,
            technique=techniques[bits].name,
            accuracy=variant.evaluation.accuracy,
            packed_bytes=variant.facts.packed_bytes,
            seconds=seconds[order.path],
        )


def render(result: Distillation) -> str:
    """Return the table: a row a width, a column a way, mean ± std over the seeds."""
    ways = list(dict.fromkeys((student.route, student.source) for student in result.students))
    header = [
        "Bits",
        "Packed (kB)",
        *(route if not source else f"{route}: {_LABELS[source]}" for route, source in ways),
    ]
    rows = []
    for bits in result.chain:
        of_width = [student for student in result.students if student.bits == bits]
        cells = [_cell([each for each in of_width if (each.route, each.source) == way]) for way in ways]
        size = of_width[0].packed_bytes
        rows.append([str(bits), kilobytes(size) if size is not None else MISSING, *cells])
    kind = "real data" if result.data == "real" else "**SYNTHETIC data**"
    teacher = f"taught by {result.teacher}, " if result.teacher else ""
    return (
        f"{table(rows, header)}\n\n"
        f"{result.model}, {kind}, {teacher}{result.family} with chain {' → '.join(map(str, result.chain))}, "
        f"{result.recipe['epochs']} epochs each, λ = {result.weight:g}, τ = {result.temperature:g}. Accuracy "
        f"on the test set after the last epoch, mean ± sample std over {len(result.seeds)} seeds. *Start*: the student "
        f"begins with its teacher's weights and statistics; *loss*: the teacher has a part in its loss."
    )


_LABELS = {"start": "start only", "loss": "loss only", "both": "both"}


def _cell(students: Sequence[Student]) -> str:
    if not students:
        return MISSING
    whole = mean_std([100 * student.accuracy.correct / student.accuracy.total for student in students])
    return f"{whole.mean:.2f}" + (f" ± {whole.std:.2f}" if whole.std is not None else "") + " %"
