"""The report of a fleet: how far each node is, what the machines say together, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.comparing.comparison import Comparison
from bench.comparing.fleet import FleetComparison, compare_fleet
from bench.comparing.groups import Group, Spread
from bench.comparing.same_weights import sentence
from bench.core.files import write_atomically
from bench.core.units import MISSING, counted, ratio
from bench.report import machines, markdown, page, pictures, recommendation
from bench.report.blocks import Block, Chapter, Document, Gallery, Listing
from bench.report.compared import pictures_of
from bench.report.conditions import instruction_sets
from bench.report.pictures import Picture
from bench.report.tables import Table
from bench.results.fleet import Fleet, NodeRecord
from bench.results.run import Run
from bench.stats.interval import LATENCY_CONFIDENCE, Interval

REPORT_FILE = "report.md"
PAGE_FILE = "report.html"
MOST_RUNS_ON_PAGE = 8
"""Of more, the page has the comparison alone; ``bench report`` renders a node's run."""
HOW_TO_READ = (
    "Cells: latency of a call, and its speed-up over the same machine's own fp32 with its 99 % interval. Compare "
    "speed-ups between machines; latencies of different machines are shown, not compared."
)
SPREADS = (
    "Cells: the median of the speed-ups of a kind's machines, and between which two nine of ten of them are. Machines "
    "are of one kind if CPU model and instruction sets are the same. The tables above compare the most typical machine "
    "of each kind."
)


def status(fleet: Fleet) -> Table:
    """Return what each node is at, since when, or why it stopped."""
    rows = [
        [
            node.name,
            node.state,
            _at(node),
            f"{node.done} of {node.total}" if node.state == "running" and node.total else MISSING,
            node.since or MISSING,
            node.rows,
        ]
        for node in fleet.nodes
    ]
    return Table(["Node", "State", "At", "Done", "Since", "Rows"], rows)


def write(fleet: Fleet, runs: Mapping[str, Run], folder: Path) -> None:
    """Write ``report.md`` with its pictures, and ``report.html``."""
    compared = compare_fleet(runs)
    shown = {name: runs[name] for name in compared.representatives}
    labels = [column.label for column in compared.comparison.columns] if compared.comparison else []
    drawn = pictures_of(dict(zip(labels, shown.values(), strict=False)), "fleet")
    content = document(fleet, compared, runs, drawn)
    pictures.draw(drawn, folder)
    write_atomically(folder / REPORT_FILE, markdown.render_document(content) + "\n")
    on_page = shown if len(shown) <= MOST_RUNS_ON_PAGE else {}
    write_atomically(folder / PAGE_FILE, page.render_with(content, _lede(fleet), list(on_page.values())))


def document(
    fleet: Fleet, compared: FleetComparison, runs: Mapping[str, Run], drawn: Sequence[Picture] = ()
) -> Document:
    """Return the report; ``drawn`` are the pictures across machines."""
    comparison = compared.comparison
    chapters = [
        Chapter("Nodes", _nodes(fleet, compared)),
        Chapter("Machines", [_machines(compared.groups)]),
        Chapter("Recommendation", _recommended(compared, runs)),
        Chapter("Latency and speed-up", _tables(comparison) if comparison else []),
        Chapter("Across machines", [Gallery(picture.model, [picture]) for picture in drawn]),
        Chapter("What the machines agree on, and what not", _statements(comparison) if comparison else []),
        Chapter("Accuracy with the same weights", _accuracies(compared)),
        Chapter("Kinds of machines", _spreads(compared)),
        Chapter("Outliers", _outliers(compared, fleet)),
    ]
    return Document(
        f"Quantbench: {fleet.spec.suite} on {counted(len(fleet.nodes), 'machine')}",
        _warnings(fleet, compared),
        [chapter for chapter in chapters if chapter.blocks],
    )


def _at(node: NodeRecord) -> str:
    return node.reason or (node.at if node.state in ("running", "waiting") else "") or MISSING


def _lede(fleet: Fleet) -> str:
    return f"{counted(len(fleet.nodes), 'node')}, {fleet.created}, quantbench {fleet.quantbench}"


def _warnings(fleet: Fleet, compared: FleetComparison) -> list[str]:
    warnings = []
    missing = [node for node in fleet.nodes if node.state != "finished"]
    if missing:
        warnings.append(
            f"**Incomplete.** {len(missing)} of {counted(len(fleet.nodes), 'node')} did not finish; the same command "
            f"goes on with them."
        )
    if compared.synthetic:
        titles = ", ".join(compared.synthetic)
        warnings.append(f"**Synthetic data.** {titles}: generated stand-ins, whose accuracies say nothing.")
    return warnings


def _nodes(fleet: Fleet, compared: FleetComparison) -> list[Block]:
    """Say how far each is: all of them, or of many those that did not finish."""
    if compared.spreads:
        unfinished = fleet.model_copy(update={"nodes": [node for node in fleet.nodes if node.state != "finished"]})
        done = len(fleet.nodes) - len(unfinished.nodes)
        said: list[Block] = [f"{done:,} of {counted(len(fleet.nodes), 'node')} finished."]
        return said + ([status(unfinished)] if unfinished.nodes else [])
    items = [
        (f"{node.name}: torch {node.facts.versions.get('torch', MISSING)}, {_notes(node, fleet)}", ())
        for node in fleet.nodes
        if node.facts is not None
    ]
    return [status(fleet), *([Listing(items, "What is installed there")] if items else [])]


def _notes(node: NodeRecord, fleet: Fleet) -> str:
    """Return what is noted of a node: runtimes, load, and a quantbench of its own that was not used."""
    assert node.facts is not None  # noqa: S101 — for the type checker
    versions = node.facts.versions
    notes = [f"{name} {versions[name]}" for name in ("onnxruntime", "openvino", "torchao") if name in versions]
    notes = notes or ["no other runtime"]
    if node.facts.load is not None:
        notes.append(f"load {node.facts.load:.2f} before it began")
    own = versions.get("quantbench")
    if own not in (None, fleet.quantbench):
        notes.append(f"its own quantbench {own} was not used, but the driver's {fleet.quantbench}")
    return ", ".join(notes)


def _machines(groups: Sequence[Group]) -> Table:
    rows = [
        [
            group.label,
            group.cpu,
            instruction_sets(group.isa, group.isa_limit) or MISSING,
            len(group.members),
            _names(group.members),
        ]
        for group in groups
    ]
    return Table(["Kind", "CPU", "Instruction sets", "Machines", "Nodes"], rows)


def _names(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _tables(comparison: Comparison) -> list[Block]:
    return [HOW_TO_READ, *(machines.model_table(model, comparison.columns) for model in comparison.tables)]


def _statements(comparison: Comparison) -> list[Block]:
    blocks: list[Block] = []
    for heading, above, lines in machines.said(comparison, "machine"):
        blocks += [Listing([(line, ()) for line in lines], heading), *above]
    lines = [line for pair in comparison.pairs for line in machines.pair_lines(pair)]
    if lines:
        blocks.append(Listing([(line, ()) for line in lines], "Equal machines, row by row"))
    return blocks


def _accuracies(compared: FleetComparison) -> list[Block]:
    if not compared.accuracies:
        return []
    return [
        "All machines had the same weights and the same test set, so what differs is their arithmetic.",
        Listing([(f"{sentence(finding)}.", ()) for finding in compared.accuracies]),
    ]


def _spreads(compared: FleetComparison) -> list[Block]:
    """Return a table a model, with a column a kind."""
    by_model: dict[str, dict[tuple[str, int], dict[str, Spread]]] = {}
    for spread in compared.spreads:
        lines = by_model.setdefault(spread.model, {})
        lines.setdefault((str(spread.variant), spread.batch_size), {})[spread.group] = spread
    labels = [group.label for group in compared.groups]
    tables = [
        Table(
            ["Technique", "Batch", *labels],
            [[*line, *(_spread(cells.get(label)) for label in labels)] for line, cells in lines.items()],
            model,
        )
        for model, lines in by_model.items()
    ]
    return [SPREADS, *tables] if tables else []


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return MISSING
    return ratio(Interval(spread.median, spread.low, spread.high, LATENCY_CONFIDENCE))


def _outliers(compared: FleetComparison, fleet: Fleet) -> list[Block]:
    """Name each machine that is far from its equals, with how many of its speed-ups are."""
    by_node: dict[str, list[str]] = {}
    for outlier in compared.outliers:
        what = f"`{outlier.variant}` of `{outlier.model}` at batch {outlier.batch_size}"
        sentence = f"{what}: {outlier.speedup:.2f}×, where the others of {outlier.group} are at {outlier.median:.2f}×"
        by_node.setdefault(outlier.node, []).append(sentence)
    loads = {node.name: node.facts.load for node in fleet.nodes if node.facts is not None}
    items = []
    for name, speedups in by_node.items():
        load = loads.get(name)
        noted = f", load {load:.2f} before it began" if load is not None else ""
        items.append((f"**{name}** ({counted(len(speedups), 'speed-up')}{noted})", speedups[:3]))
    return [Listing(items)] if items else []


def _recommended(compared: FleetComparison, runs: Mapping[str, Run]) -> list[Block]:
    """Say for each model what to deploy on which machines, with the sentence of the first of them; of kinds if many."""
    labels = [group.label for group in compared.groups] if compared.spreads else compared.representatives
    by_model: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for label, name in zip(labels, compared.representatives, strict=False):
        for model in recommendation.of_run(runs[name]):
            choice = str(model.best.variant) if model.best else "nothing"
            by_model.setdefault(model.model, {}).setdefault(choice, []).append((label, model.sentence))
    items = []
    for model_name, choices in by_model.items():
        parts = [f"`{choice}` on {_names([label for label, _ in at])}" for choice, at in choices.items()]
        below = [f"{at[0][0]}: {at[0][1].partition(': ')[2]}" for at in choices.values()]
        items.append((f"`{model_name}`: {'; '.join(parts)}", below))
    return [Listing(items)] if items else []
